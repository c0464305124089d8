"""Owns the judgement of the embedded service by Microsoft's older client: azure-batch 14.2.0 (API 2024-02-01.19.0) runs
the tutorial's nine steps and calls each operation that is offered at least once.

Does not judge Blob Storage beyond the files of a run. FANOUT names the program.
"""
# needs: azure-batch==14.2.0 azure-storage-blob==12.31.1

import datetime
import json
import os
import subprocess
import time

from azure.batch import BatchServiceClient, models
from azure.batch.batch_auth import SharedKeyCredentials
from azure.storage.blob import (
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    generate_blob_sas,
    generate_container_sas,
)

FANOUT = os.environ["FANOUT"]
LIMIT_SECONDS = 30


def wait_for(what, holds):
    """Asks until `holds()` gives something true, and returns it."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        value = holds()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {LIMIT_SECONDS} s")


def refused(call, code):
    """The call must fail with this code."""
    try:
        call()
    except models.BatchErrorException as error:
        assert error.error.code == code, error.error
        return
    raise AssertionError(f"not refused: {code}")


class Judge:
    def __init__(self, ready):
        batch, blob = ready["batch"], ready["blob"]
        self.client = BatchServiceClient(SharedKeyCredentials(batch["account"], batch["key"]), batch["endpoint"])
        self.account, self.key = blob["account"], blob["key"]
        credential = {"account_name": self.account, "account_key": self.key}
        self.blobs = BlobServiceClient(blob["endpoint"], credential=credential)
        self.later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)

    def add_pool(self, name, nodes, **more):
        image = models.ImageReference(
            publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
        )
        machine = models.VirtualMachineConfiguration(
            image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04"
        )
        self.client.pool.add(
            models.PoolAddParameter(
                id=name, vm_size="standard_d2s_v5", virtual_machine_configuration=machine,
                target_dedicated_nodes=nodes, **more
            )
        )

    def steady(self, name, nodes):
        def holds():
            pool = self.client.pool.get(name)
            return pool.allocation_state == "steady" and pool.current_dedicated_nodes == nodes

        wait_for(f"{nodes} nodes of {name}", holds)

    def completed(self, job, task):
        def holds():
            found = self.client.task.get(job, task)
            return found.state == "completed" and found

        return wait_for(f"task {task} of {job}", holds)

    def gone(self, get, code):
        def holds():
            try:
                get()
            except models.BatchErrorException as error:
                assert error.error.code == code, error.error
                return True
            return False

        wait_for(code, holds)

    def tutorial(self):
        """The nine steps: containers, inputs, pool, job, tasks, watch, outputs, delete batch, delete containers."""
        inputs, outputs = self.blobs.create_container("input"), self.blobs.create_container("output")
        inputs.upload_blob("text.txt", b"one two three ")
        sas = generate_blob_sas(
            self.account, "input", "text.txt", account_key=self.key,
            permission=BlobSasPermissions(read=True), expiry=self.later,
        )
        file = models.ResourceFile(http_url=f"{inputs.url}/text.txt?{sas}", file_path="text.txt")
        sas = generate_container_sas(
            self.account, "output", account_key=self.key,
            permission=ContainerSasPermissions(create=True, write=True), expiry=self.later,
        )
        container = models.OutputFileBlobContainerDestination(container_url=f"{outputs.url}?{sas}", path="result")
        output = models.OutputFile(
            file_pattern="../std*.txt",
            destination=models.OutputFileDestination(container=container),
            upload_options=models.OutputFileUploadOptions(upload_condition="taskCompletion"),
        )
        self.add_pool("tutorial", 2, start_task=models.StartTask(command_line="/bin/true", wait_for_success=True))
        self.client.job.add(
            models.JobAddParameter(id="tutorial", pool_info=models.PoolInformation(pool_id="tutorial"))
        )
        task = models.TaskAddParameter(
            id="task", command_line="/bin/sh -c 'wc -w < text.txt'", resource_files=[file], output_files=[output]
        )
        result = self.client.task.add_collection("tutorial", [task])
        assert [line.status.lower() for line in result.value] == ["success"], result.value
        assert self.completed("tutorial", "task").execution_info.exit_code == 0
        text = b"".join(self.client.file.get_from_task("tutorial", "task", "stdout.txt"))
        assert text == b"3\n", text
        assert outputs.download_blob("result/stdout.txt").readall() == b"3\n"
        self.client.job.delete("tutorial")
        self.gone(lambda: self.client.job.get("tutorial"), "JobNotFound")
        self.client.pool.delete("tutorial")
        self.gone(lambda: self.client.pool.get("tutorial"), "PoolNotFound")
        inputs.delete_container()
        outputs.delete_container()

    def pools_and_nodes(self):
        client = self.client
        assert list(client.account.list_supported_images())
        self.add_pool("pool", 1, target_node_communication_mode="simplified")
        refused(lambda: self.add_pool("POOL", 1), "PoolExists")
        assert client.pool.exists("pool") and not client.pool.exists("none")
        assert [pool.id for pool in client.pool.list(models.PoolListOptions(filter="state eq 'active'"))] == ["pool"]

        def idle():
            nodes = list(client.compute_node.list("pool", models.ComputeNodeListOptions(filter="state eq 'idle'")))
            return nodes if len(nodes) == 1 else None

        [node] = wait_for("an idle node", idle)
        [counts] = client.account.list_pool_node_counts()
        assert counts.dedicated.idle == 1
        client.compute_node.disable_scheduling("pool", node.id)
        assert client.compute_node.get("pool", node.id).scheduling_state == "disabled"
        client.compute_node.enable_scheduling("pool", node.id)
        assert list(client.file.list_from_compute_node("pool", node.id))
        item = models.MetadataItem(name="owner", value="judge")
        client.pool.patch("pool", models.PoolPatchParameter(metadata=[item]))
        client.pool.update_properties(
            "pool",
            models.PoolUpdatePropertiesParameter(
                metadata=[item], application_package_references=[], certificate_references=[]
            ),
        )
        self.steady("pool", 1)
        client.pool.resize("pool", models.PoolResizeParameter(target_dedicated_nodes=2))
        self.steady("pool", 2)
        client.pool.remove_nodes("pool", models.NodeRemoveParameter(node_list=[node.id]))
        self.steady("pool", 1)
        client.pool.stop_resize("pool")
        formula = "$TargetDedicatedNodes = 1;"
        client.pool.enable_auto_scale("pool", formula, datetime.timedelta(minutes=5))
        assert client.pool.evaluate_auto_scale("pool", formula).results == "$TargetDedicatedNodes=1;"
        client.pool.disable_auto_scale("pool")
        self.steady("pool", 1)

    def jobs_and_tasks(self):
        client = self.client
        client.job.add(models.JobAddParameter(id="job", pool_info=models.PoolInformation(pool_id="pool")))
        client.job.patch("job", models.JobPatchParameter(priority=5))
        assert client.job.get("job").priority == 5
        client.job.update("job", models.JobUpdateParameter(pool_info=models.PoolInformation(pool_id="pool")))
        assert client.job.get("job").priority == 0
        assert [job.id for job in client.job.list()] == ["job"]
        many = [models.TaskAddParameter(id=f"t{number}", command_line="/bin/echo x") for number in range(150)]
        client.task.add_collection("job", many, threads=2)
        client.task.add("job", models.TaskAddParameter(id="fails", command_line="/bin/false"))
        refused(
            lambda: client.task.add("job", models.TaskAddParameter(id="FAILS", command_line="x")), "TaskExists"
        )
        for number in range(150):
            self.completed("job", f"t{number}")
        assert self.completed("job", "fails").execution_info.failure_info.code == "FailureExitCode"
        listed = client.task.list("job", models.TaskListOptions(max_results=40, select="id,state"))
        assert len(list(listed)) == 151
        counts = client.job.get_task_counts("job").task_counts
        assert (counts.completed, counts.failed) == (151, 1), counts
        files = {file.name: file for file in client.file.list_from_task("job", "t0", recursive=True)}
        assert files["stdout.txt"].properties.content_length == 2, files["stdout.txt"]
        raw = client.file.get_properties_from_task("job", "t0", "stdout.txt", raw=True)
        assert raw.headers["Content-Length"] is not None
        options = models.FileGetFromTaskOptions(ocp_range="bytes=0-0")
        assert b"".join(client.file.get_from_task("job", "t0", "stdout.txt", options)) == b"x"
        client.file.delete_from_task("job", "t0", "stdout.txt")
        refused(lambda: client.file.get_from_task("job", "t0", "stdout.txt"), "FileNotFound")
        client.task.reactivate("job", "fails")
        self.completed("job", "fails")
        client.task.add("job", models.TaskAddParameter(id="long", command_line="/bin/sleep 600"))
        wait_for("the long task", lambda: client.task.get("job", "long").state == "running")
        client.task.update("job", "long", models.TaskConstraints(max_task_retry_count=2))
        client.task.terminate("job", "long")
        client.task.delete("job", "long")
        client.job.disable("job", "requeue")
        wait_for("a disabled job", lambda: client.job.get("job").state == "disabled")
        client.job.enable("job")
        client.job.terminate("job", terminate_reason="Judged")
        wait_for("an ended job", lambda: client.job.get("job").state == "completed")
        assert client.job.get("job").execution_info.terminate_reason == "Judged"
        client.job.delete("job")
        self.gone(lambda: client.job.get("job"), "JobNotFound")
        client.pool.delete("pool")
        self.gone(lambda: client.pool.get("pool"), "PoolNotFound")


def main():
    service = subprocess.Popen([FANOUT, "emulate", "--quiet"], stdout=subprocess.PIPE, text=True)
    try:
        judge = Judge(json.loads(service.stdout.readline()))
        judge.tutorial()
        judge.pools_and_nodes()
        judge.jobs_and_tasks()
    finally:
        service.terminate()
        assert service.wait(LIMIT_SECONDS) == 0
    print("ok: azure-batch 14.2.0 ran the nine steps and each operation")


main()
