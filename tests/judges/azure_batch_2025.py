"""Owns the judgement of the embedded service by Microsoft's own clients: azure-batch 15.1.0 (API 2025-06-01) and
azure-storage-blob run the tutorial's nine steps and call each operation that is offered at least once.

Does not judge `fanout submit`. FANOUT names the program.
"""
# needs: azure-batch==15.1.0 azure-storage-blob==12.31.1

import datetime
import json
import os
import subprocess
import time

from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import (
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    generate_blob_sas,
    generate_container_sas,
)

FANOUT = os.environ["FANOUT"]
LIMIT_SECONDS = 30
# The client sends no body that its own serializer accepts unless it is given one, and it exports no model for this one and those
# for nodes.
TERMINATION = {"terminateReason": "Judged"}


def wait_for(what, holds):
    """Asks until `holds()` gives something true, and returns it."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        value = holds()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {LIMIT_SECONDS} s")


def refused(kind, call, code=None):
    """The call must fail with an error of this kind, and with this code if one is named."""
    try:
        call()
    except kind as error:
        if code is not None:
            assert code in str(error) or code == getattr(getattr(error, "error", None), "code", None), error
        return
    raise AssertionError(f"not refused: {code}")


class Judge:
    def __init__(self, ready):
        batch, blob = ready["batch"], ready["blob"]
        self.client = BatchClient(
            endpoint=batch["endpoint"], credential=AzureNamedKeyCredential(batch["account"], batch["key"])
        )
        self.account, self.key = blob["account"], blob["key"]
        credential = {"account_name": self.account, "account_key": self.key}
        self.blobs = BlobServiceClient(blob["endpoint"], credential=credential)
        self.later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)

    def pool_options(self, name, **more):
        image = models.BatchVmImageReference(
            publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
        )
        machine = models.VirtualMachineConfiguration(
            image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04"
        )
        return models.BatchPoolCreateOptions(
            id=name, vm_size="standard_d2s_v5", virtual_machine_configuration=machine, **more
        )

    def steady(self, name, nodes):
        def holds():
            pool = self.client.get_pool(name)
            return pool.allocation_state == "steady" and pool.current_dedicated_nodes == nodes and pool

        return wait_for(f"{nodes} nodes of {name}", holds)

    def idle(self, name, nodes):
        def holds():
            found = [node for node in self.client.list_nodes(name) if node.state == "idle"]
            return len(found) == nodes and found

        return wait_for(f"{nodes} idle nodes of {name}", holds)

    def completed(self, job):
        def holds():
            tasks = list(self.client.list_tasks(job))
            return all(task.state == "completed" for task in tasks) and tasks

        return wait_for(f"tasks of {job}", holds)

    def tutorial(self):
        """The nine steps: containers, inputs, pool, job, tasks, watch, outputs, delete batch, delete containers."""
        inputs, outputs = self.blobs.create_container("input"), self.blobs.create_container("output")
        files = []
        for number in range(3):
            name = f"task data {number}.txt"
            inputs.upload_blob(name, f"word {number} ".encode() * 1000)
            sas = generate_blob_sas(
                self.account, "input", name, account_key=self.key,
                permission=BlobSasPermissions(read=True), expiry=self.later,
            )
            url = f"{inputs.get_blob_client(name).url}?{sas}"
            files.append(models.ResourceFile(http_url=url, file_path=name))
        sas = generate_container_sas(
            self.account, "output", account_key=self.key,
            permission=ContainerSasPermissions(create=True, write=True), expiry=self.later,
        )
        start = models.BatchStartTask(
            command_line="/bin/sh -c 'echo installed > $AZ_BATCH_NODE_SHARED_DIR/program'", wait_for_success=True
        )
        self.client.create_pool(self.pool_options("tutorial", target_dedicated_nodes=2, start_task=start))
        self.client.create_job(
            models.BatchJobCreateOptions(id="tutorial", pool_info=models.BatchPoolInfo(pool_id="tutorial"))
        )
        tasks = []
        for number, file in enumerate(files):
            container = models.OutputFileBlobContainerDestination(
                container_url=f"{outputs.url}?{sas}", path=f"counts/{number}.txt"
            )
            output = models.OutputFile(
                file_pattern="count.txt",
                destination=models.OutputFileDestination(container=container),
                upload_options=models.OutputFileUploadConfiguration(upload_condition="tasksuccess"),
            )
            command = f"/bin/sh -c 'cat $AZ_BATCH_NODE_SHARED_DIR/program; wc -w < \"{file.file_path}\" > count.txt'"
            tasks.append(
                models.BatchTaskCreateOptions(
                    id=f"task{number}", command_line=command, resource_files=[file], output_files=[output]
                )
            )
        self.client.create_tasks("tutorial", tasks)
        for task in self.completed("tutorial"):
            assert task.execution_info.result == "success", task
            text = b"".join(self.client.download_task_file("tutorial", task.id, "stdout.txt"))
            assert text == b"installed\n", text
        for number in range(3):
            assert outputs.download_blob(f"counts/{number}.txt").readall() == b"2000\n"
        self.client.begin_delete_job("tutorial", polling_interval=0.05).result()
        self.client.begin_delete_pool("tutorial", polling_interval=0.05).result()
        inputs.delete_container()
        outputs.delete_container()

    def pools_and_nodes(self):
        client = self.client
        assert any(image.os_type == "linux" for image in client.list_supported_images())
        client.create_pool(self.pool_options("pool", target_dedicated_nodes=1, task_slots_per_node=2))
        refused(ResourceExistsError, lambda: client.create_pool(self.pool_options("POOL", target_dedicated_nodes=1)))
        assert client.pool_exists("pool")
        assert [pool.id for pool in client.list_pools(filter="startswith(id,'po')", select=["id"])] == ["pool"]
        [node] = self.idle("pool", 1)
        assert client.get_node("pool", node.id).is_dedicated
        [counts] = client.list_pool_node_counts(filter="poolId eq 'pool'")
        assert counts.dedicated.idle == 1 and counts.dedicated.total == 1
        option = models.BatchNodeDisableSchedulingOptions(node_disable_scheduling_option="requeue")
        client.disable_node_scheduling("pool", node.id, options=option)
        assert client.get_node("pool", node.id).state == "offline"
        client.enable_node_scheduling("pool", node.id)
        assert "shared" in [file.name for file in client.list_node_files("pool", node.id)]
        option = {"nodeDeallocateOption": "requeue"}
        client.begin_deallocate_node("pool", node.id, options=option, polling_interval=0.05).result()
        assert client.get_node("pool", node.id).state == "deallocated"
        client.begin_start_node("pool", node.id, polling_interval=0.05).result()
        self.idle("pool", 1)
        option = {"nodeRebootOption": "requeue"}
        refused(HttpResponseError, lambda: client.begin_reboot_node("pool", node.id, options=option))
        refused(HttpResponseError, lambda: client.get_node_remote_login_settings("pool", node.id))
        usage = client.get_pool("pool", expand=["stats"]).pool_statistics.usage_statistics
        assert usage.dedicated_core_time > datetime.timedelta(0), usage
        item = models.BatchMetadataItem(name="owner", value="judge")
        client.update_pool("pool", models.BatchPoolUpdateOptions(metadata=[item]))
        client.replace_pool_properties(
            "pool", models.BatchPoolReplaceOptions(metadata=[item], application_package_references=[])
        )
        assert client.get_pool("pool").metadata[0].value == "judge"
        client.begin_resize_pool(
            "pool", models.BatchPoolResizeOptions(target_dedicated_nodes=2), polling_interval=0.05
        ).result()
        self.steady("pool", 2)
        client.begin_remove_nodes(
            "pool", models.BatchNodeRemoveOptions(node_ids=[node.id]), polling_interval=0.05
        ).result()
        self.steady("pool", 1)
        client.begin_stop_pool_resize("pool", polling_interval=0.05).result()
        formula = "$TargetDedicatedNodes = 1; $NodeDeallocationOption = taskcompletion;"
        client.enable_pool_auto_scale(
            "pool", models.BatchPoolEnableAutoScaleOptions(
                auto_scale_formula=formula, auto_scale_evaluation_interval=datetime.timedelta(minutes=5)
            )
        )
        run = client.evaluate_pool_auto_scale(
            "pool", models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula=formula)
        )
        assert run.results.startswith("$TargetDedicatedNodes=1;"), run
        client.disable_pool_auto_scale("pool")
        self.steady("pool", 1)

    def jobs_and_tasks(self):
        client = self.client
        client.create_job(
            models.BatchJobCreateOptions(
                id="job",
                pool_info=models.BatchPoolInfo(pool_id="pool"),
                uses_task_dependencies=True,
                job_preparation_task=models.BatchJobPreparationTask(command_line="/bin/true"),
                job_release_task=models.BatchJobReleaseTask(command_line="/bin/true"),
            )
        )
        assert [job.id for job in client.list_jobs(filter="state eq 'active'")] == ["job"]
        job = client.get_job("job")
        assert job.constraints.max_wall_clock_time.days == 10675199, job.constraints
        client.update_job("job", models.BatchJobUpdateOptions(priority=7))
        job = client.get_job("job")
        assert job.priority == 7
        client.replace_job("job", job)
        many = [models.BatchTaskCreateOptions(id=str(number), command_line="/bin/true") for number in range(1, 251)]
        client.create_tasks("job", many)
        after = models.BatchTaskDependencies(task_id_ranges=[models.BatchTaskIdRange(start=1, end=250)])
        client.create_task(
            "job", models.BatchTaskCreateOptions(id="after", command_line="/bin/echo done", depends_on=after)
        )
        refused(
            ResourceExistsError,
            lambda: client.create_task("job", models.BatchTaskCreateOptions(id="AFTER", command_line="true")),
        )
        wait_for("the dependent task", lambda: client.get_task("job", "after").state == "completed")
        assert len(list(client.list_tasks("job", max_results=100, select=["id", "state"]))) == 251
        counts = client.get_job_task_counts("job").task_counts
        assert (counts.completed, counts.succeeded, counts.failed) == (251, 251, 0), counts
        stats = client.get_job("job", expand=["stats"]).job_statistics
        assert (stats.succeeded_tasks_count, stats.failed_tasks_count) == (251, 0), stats
        stats = client.get_task("job", "after", expand=["stats"]).task_statistics
        assert stats.wall_clock_time > datetime.timedelta(0), stats
        [status] = client.list_job_preparation_and_release_task_status("job")
        assert status.job_preparation_task_execution_info.result == "success"
        self.files()
        self.failures()
        client.begin_disable_job(
            "job", models.BatchJobDisableOptions(disable_tasks="requeue"), polling_interval=0.05
        ).result()
        assert client.get_job("job").state == "disabled"
        client.begin_enable_job("job", polling_interval=0.05).result()
        client.begin_terminate_job("job", options=TERMINATION, polling_interval=0.05).result()
        assert client.get_job("job").execution_info.termination_reason == "Judged"
        refused(
            HttpResponseError,
            lambda: client.create_task("job", models.BatchTaskCreateOptions(id="late", command_line="true")),
        )
        client.begin_delete_job("job", polling_interval=0.05).result()
        refused(ResourceNotFoundError, lambda: client.get_job("job"))
        client.begin_delete_pool("pool", polling_interval=0.05).result()

    def files(self):
        client = self.client
        names = [file.name for file in client.list_task_files("job", "after", recursive=True)]
        assert names == ["stderr.txt", "stdout.txt", "wd"], names
        properties = client.get_task_file_properties("job", "after", "stdout.txt")
        assert properties is not None
        part = b"".join(client.download_task_file("job", "after", "stdout.txt", ocp_range="bytes=1-2"))
        assert part == b"on", part
        node = client.get_task("job", "after").node_info.node_id
        path = "workitems/job/job-1/after/stdout.txt"
        assert b"".join(client.download_node_file("pool", node, path)) == b"done\n"
        client.get_node_file_properties("pool", node, path)
        client.delete_node_file("pool", node, path)
        refused(ResourceNotFoundError, lambda: client.download_task_file("job", "after", "stdout.txt"))
        client.delete_task_file("job", "after", "stderr.txt")

    def failures(self):
        client = self.client
        constraints = models.BatchTaskConstraints(max_task_retry_count=1)
        client.create_task(
            "job", models.BatchTaskCreateOptions(id="fails", command_line="/bin/false", constraints=constraints)
        )
        task = wait_for(
            "the failing task", lambda: (task := client.get_task("job", "fails")).state == "completed" and task
        )
        assert task.execution_info.exit_code == 1 and task.execution_info.retry_count == 1
        assert task.execution_info.failure_info.code == "FailureExitCode"
        client.reactivate_task("job", "fails")
        wait_for("the failing task again", lambda: client.get_task("job", "fails").state == "completed")
        client.create_task("job", models.BatchTaskCreateOptions(id="long", command_line="/bin/sleep 600"))
        wait_for("the long task", lambda: client.get_task("job", "long").state == "running")
        changed = models.BatchTaskConstraints(max_task_retry_count=3)
        client.replace_task("job", "long", models.BatchTask(constraints=changed))
        assert client.get_task("job", "long").constraints.max_task_retry_count == 3
        client.terminate_task("job", "long")
        assert client.get_task("job", "long").execution_info.failure_info.code == "TaskEnded"
        client.delete_task("job", "long")
        refused(ResourceNotFoundError, lambda: client.get_task("job", "long"))
        refused(HttpResponseError, lambda: list(client.list_subtasks("job", "fails")))


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
    print("ok: azure-batch 15.1.0 ran the nine steps and each operation")


if __name__ == "__main__":
    main()
