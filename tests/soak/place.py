"""Owns what a soak runs on: `fanout emulate` as a process of its own, read with Microsoft's clients, and places with a home, inputs
and a program that writes down each of its starts.

Kills nothing and judges no run.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

FANOUT = os.environ["FANOUT"]
TOPN = os.environ["TOPN"]
# No command of a soak takes a tenth of this on a busy machine: one that does hangs.
LIMIT_SECONDS = 120
# What makes a program keep a copy of all that it puts out, for the judge of secrets.
KEPT = ("LD_PRELOAD", "EFFECTS_KEEP", "EFFECTS_FILES", "EFFECTS_PROGRAMS")
WORDS = ["the", "The", "of", "and", "naïve", "Straße", "слово", "言葉", "can't", "3.14", "a_b", "ΑΣ", "x,y", "end."]


class Ran:
    """How a command ended: its exit code, below zero for a signal, None if it hung; and what it printed."""

    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr

    def __str__(self):
        return f"exit {self.code}\n{self.stderr.decode(errors='replace')}"


class Place:
    """A home, inputs, a directory for temporary files, and a program for nodes that notes each start in `starts`."""

    def __init__(self, rng, bytes_in_all=24_000, task_seconds=0.0):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
        for name in ("in", "tmp", "home"):
            (self.root / name).mkdir()
        self.starts = self.root / "starts"
        self.starts.touch()
        left = bytes_in_all
        for name in ("a.txt", "b.txt"):
            share = left if name == "b.txt" else left * 2 // 3
            left -= share
            words = []
            while share > 0:
                words.append(rng.choice(WORDS) + ("\n" if rng.random() < 0.1 else " "))
                share -= len(words[-1].encode())
            (self.root / "in" / name).write_text("".join(words))
        wait = f"sleep {task_seconds}\n" if task_seconds else ""
        self.program = self.root / "topn.sh"
        self.program.write_text(
            '#!/bin/sh\n[ -n "$AZ_BATCH_JOB_ID" ] && '
            f'echo "$AZ_BATCH_JOB_ID $AZ_BATCH_TASK_ID" >> {self.starts}\n{wait}exec {TOPN} "$@"\n'
        )
        self.program.chmod(0o755)

    def environment(self, service, home="home", **more):
        kept = {name: value for name, value in os.environ.items() if name in KEPT}
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.root / home),
            "TMPDIR": str(self.root / "tmp"),
            **kept,
            **(service.settings() if service else {}),
            **more,
        }

    def start(self, service, args, home="home", **environment):
        return subprocess.Popen(
            [FANOUT, *args],
            cwd=self.root,
            env=self.environment(service, home, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, service, args, home="home", **environment):
        return self.finish(self.start(service, args, home, **environment))

    @staticmethod
    def finish(child, seconds=LIMIT_SECONDS):
        try:
            out, err = child.communicate(timeout=seconds)
            return Ran(child.returncode, out, err)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            return Ran(None, out, err)

    def runs(self, home="home"):
        """The runs that have a directory in the state, newest last."""
        state = self.root / home / ".local/state/fanout"
        return sorted(entry.name for entry in state.iterdir()) if state.is_dir() else []

    def started(self, run):
        """Ids of the tasks of `run` in the order in which their program was started."""
        lines = [line.split() for line in self.starts.read_text().splitlines()]
        return [line[1] for line in lines if line[0] == run]

    def left(self):
        """Temporary files, and processes that work below this place."""
        found = [str(path) for path in (self.root / "tmp").iterdir()]
        return found + processes_below(self.root)

    def remove(self):
        shutil.rmtree(self.root)


def processes_below(folder):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                cwd = os.readlink(entry / "cwd")
            except OSError:
                continue
            if pathlib.Path(cwd).is_relative_to(folder):
                found.append(f"process {entry.name} in {cwd}")
    return found


class Service:
    """`fanout emulate` in a directory of its own."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="soak-service-"))
        self.log = open(self.root / "log", "wb")
        self.process = subprocess.Popen(
            [FANOUT, "emulate", "--node-root", str(self.root)], stdout=subprocess.PIPE, stderr=self.log
        )
        self.ready = json.loads(self.process.stdout.readline())
        batch, blob = self.ready["batch"], self.ready["blob"]
        self.batch = BatchClient(endpoint=batch["endpoint"], credential=AzureNamedKeyCredential(batch["account"], batch["key"]))
        self.quick = BatchClient(endpoint=batch["endpoint"], credential=AzureNamedKeyCredential(batch["account"], batch["key"]), retry_total=0)
        credential = {"account_name": blob["account"], "account_key": blob["key"]}
        self.blobs = BlobServiceClient(blob["endpoint"], credential=credential)

    def settings(self):
        batch, blob = self.ready["batch"], self.ready["blob"]
        return {
            "AZURE_BATCH_ENDPOINT": batch["endpoint"],
            "AZURE_BATCH_ACCOUNT": batch["account"],
            "AZURE_BATCH_ACCESS_KEY": batch["key"],
            "AZURE_STORAGE_CONNECTION_STRING": (
                f"DefaultEndpointsProtocol=http;AccountName={blob['account']};"
                f"AccountKey={blob['key']};BlobEndpoint={blob['endpoint']}"
            ),
        }

    def control(self, method, path, body=None):
        control = self.ready["control"]
        request = urllib.request.Request(
            control["url"].rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {control['token']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def left(self, run=""):
        """Pools, jobs and containers of the account whose name begins with `run`, as Microsoft's clients list them."""
        found = [f"pool {pool.id}" for pool in self.batch.list_pools() if pool.id.startswith(run)]
        found += [f"job {job.id}" for job in self.batch.list_jobs() if job.id.startswith(run)]
        return found + [f"container {item.name}" for item in self.blobs.list_containers(name_starts_with=run or None)]

    def nodes(self, run):
        """Ids of the nodes of the run's pool; none while faults keep them from being listed."""
        try:
            return [node.id for node in self.quick.list_nodes(run)]
        except AzureError:
            return []

    def tasks(self, run):
        try:
            return list(self.batch.list_tasks(run))
        except ResourceNotFoundError:
            return []

    def outputs(self, run):
        """Names of the blobs in the run's container for outputs."""
        try:
            return [blob.name for blob in self.blobs.get_container_client(f"{run}-out").list_blobs()]
        except ResourceNotFoundError:
            return []

    def stop(self):
        """Ends the service; what it left on this machine."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=60)
            found = [] if code == 0 else [f"the service ended with {code}"]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            found = ["the service did not end within 60 s"]
        self.process.stdout.close()
        self.log.close()
        found += [str(path) for path in self.root.iterdir() if path.name != "log"]
        found += processes_below(self.root)
        shutil.rmtree(self.root, ignore_errors=True)
        return found
