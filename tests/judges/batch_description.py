"""Owns the judgement of what goes over the wire: each request to the embedded Batch service, and each of its answers, is compared
with the description of API 2025-06-01 that the models of azure-batch 15.1.0 hold. It looks at a run of `fanout submit`, at the
calls of `azure_batch_2025`, and, where FANOUT_EXCHANGES names the log of it, at every exchange of the whole test suite.

Does not judge values, only names, types and what must be there. Requests that were refused are judged only if `fanout` sent
them: others are wrong on purpose. Deviations that the real service has too are listed below by name. FANOUT names the program.
"""
# needs: azure-batch==15.1.0 azure-storage-blob==12.31.1

import datetime
import enum
import json
import os
import pathlib
import re
import subprocess
import tempfile
import typing
import urllib.parse

import azure_batch_2025
from azure.batch.models import _enums, _models

FANOUT = os.environ["FANOUT"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 120

# Members that the description demands and the real service leaves out, with the reason.
ABSENT = {
    ("BatchNode", "lastBootTime"): "absent while a node is created or starts",
    ("BatchNode", "ipv6Address"): "absent for a node without one",
}
# Members that the description does not know and the real service sends.
EXTRA = {"odata.metadata", "odata.nextLink"}

# Operations of the description that are answered 501.
NOT_OFFERED = {("GET", "/jobs/[^/]+/tasks/[^/]+/subtasksinfo")}

# Method and path, the model of the request, the model of the answer to success, and whether that is a list.
OPERATIONS = [
    ("GET", "/supportedimages", None, "BatchSupportedImage", True),
    ("GET", "/nodecounts", None, "BatchPoolNodeCounts", True),
    ("GET", "/pools", None, "BatchPool", True),
    ("POST", "/pools", "BatchPoolCreateOptions", None, False),
    ("GET", "/pools/[^/]+", None, "BatchPool", False),
    ("HEAD", "/pools/[^/]+", None, None, False),
    ("PATCH", "/pools/[^/]+", "BatchPoolUpdateOptions", None, False),
    ("DELETE", "/pools/[^/]+", None, None, False),
    ("POST", "/pools/[^/]+/updateproperties", "BatchPoolReplaceOptions", None, False),
    ("POST", "/pools/[^/]+/stopresize", None, None, False),
    ("POST", "/pools/[^/]+/removenodes", "BatchNodeRemoveOptions", None, False),
    ("POST", "/pools/[^/]+/enableautoscale", "BatchPoolEnableAutoScaleOptions", None, False),
    ("POST", "/pools/[^/]+/disableautoscale", None, None, False),
    ("POST", "/pools/[^/]+/evaluateautoscale", "BatchPoolEvaluateAutoScaleOptions", "AutoScaleRun", False),
    ("POST", "/pools/[^/]+/nodes/[^/]+/disablescheduling", "BatchNodeDisableSchedulingOptions", None, False),
    ("POST", "/pools/[^/]+/nodes/[^/]+/enablescheduling", None, None, False),
    ("POST", "/pools/[^/]+/resize", "BatchPoolResizeOptions", None, False),
    ("GET", "/pools/[^/]+/nodes", None, "BatchNode", True),
    ("GET", "/pools/[^/]+/nodes/[^/]+", None, "BatchNode", False),
    ("POST", "/pools/[^/]+/nodes/[^/]+/deallocate", "BatchNodeDeallocateOptions", None, False),
    ("POST", "/pools/[^/]+/nodes/[^/]+/start", None, None, False),
    ("GET", "/pools/[^/]+/nodes/[^/]+/files", None, "BatchNodeFile", True),
    ("GET", "/jobs", None, "BatchJob", True),
    ("POST", "/jobs", "BatchJobCreateOptions", None, False),
    ("GET", "/jobs/[^/]+", None, "BatchJob", False),
    ("PATCH", "/jobs/[^/]+", "BatchJobUpdateOptions", None, False),
    ("DELETE", "/jobs/[^/]+", None, None, False),
    ("PUT", "/jobs/[^/]+", "BatchJob", None, False),
    ("POST", "/jobs/[^/]+/disable", "BatchJobDisableOptions", None, False),
    ("POST", "/jobs/[^/]+/enable", None, None, False),
    (
        "GET", "/jobs/[^/]+/jobpreparationandreleasetaskstatus", None,
        "BatchJobPreparationAndReleaseTaskStatus", True,
    ),
    ("POST", "/jobs/[^/]+/terminate", "BatchJobTerminateOptions", None, False),
    ("GET", "/jobs/[^/]+/taskcounts", None, "BatchTaskCountsResult", False),
    ("GET", "/jobs/[^/]+/tasks", None, "BatchTask", True),
    ("POST", "/jobs/[^/]+/tasks", "BatchTaskCreateOptions", None, False),
    ("POST", "/jobs/[^/]+/addtaskcollection", "BatchTaskGroup", "BatchTaskCreateResult", True),
    ("GET", "/jobs/[^/]+/tasks/[^/]+", None, "BatchTask", False),
    ("PUT", "/jobs/[^/]+/tasks/[^/]+", "BatchTask", None, False),
    ("DELETE", "/jobs/[^/]+/tasks/[^/]+", None, None, False),
    ("POST", "/jobs/[^/]+/tasks/[^/]+/terminate", None, None, False),
    ("POST", "/jobs/[^/]+/tasks/[^/]+/reactivate", None, None, False),
    ("GET", "/jobs/[^/]+/tasks/[^/]+/subtasksinfo", None, "BatchSubtask", True),
    ("GET", "/jobs/[^/]+/tasks/[^/]+/files", None, "BatchNodeFile", True),
]


def members(model):
    """The members of a model by their names on the wire: type, whether required, format."""
    model({})  # the fields of a model are found when it is first made
    found = {}
    for cls in reversed(model.__mro__):
        for name, annotation in getattr(cls, "__annotations__", {}).items():
            field = model._attr_to_rest_field.get(name)
            if field is not None:
                found[field._rest_name] = (annotation, field._format)
    return found


def resolve(annotation):
    """An annotation with its forward references looked up."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        name = annotation.rsplit(".", 1)[-1]
        return {"str": str, "int": int}.get(name) or getattr(_models, name, None) or getattr(_enums, name)
    return annotation


def check(annotation, form, value, place, selected, wrong):
    """Compares a JSON value with an annotation of a model."""
    annotation = resolve(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union:
        kinds = [resolve(argument) for argument in arguments if argument is not type(None)]
        models = [kind for kind in kinds if not (isinstance(kind, type) and issubclass(kind, enum.Enum))]
        choice = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, enum.Enum)), None)
        if choice is not None:
            # Enumerations do not depend on case.
            if str(value).lower() not in [member.value.lower() for member in choice]:
                wrong.append(f"{place}: {value!r} is not one of {[member.value for member in choice]}")
        else:
            check(models[0], form, value, place, selected, wrong)
        return
    if origin is list:
        if not isinstance(value, list):
            wrong.append(f"{place}: not a list")
            return
        for index, item in enumerate(value):
            check(arguments[0], None, item, f"{place}[{index}]", False, wrong)
        return
    if isinstance(annotation, type) and issubclass(annotation, _models._Model):
        check_model(annotation, value, place, selected, wrong)
        return
    expected = {
        str: str, bool: bool, float: (int, float), datetime.datetime: str, datetime.timedelta: str, int: int,
    }.get(annotation)
    if annotation is int and form == "str":
        expected = str
    if expected is not None and (not isinstance(value, expected) or (expected is int and isinstance(value, bool))):
        wrong.append(f"{place}: {value!r} is not of the type {annotation.__name__}")
    if annotation is datetime.datetime and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z", str(value)):
        wrong.append(f"{place}: {value!r} is not a time")
    if annotation is datetime.timedelta and not re.fullmatch(r"P(\d+D)?(T(\d+H)?(\d+M)?([\d.]+S)?)?", str(value)):
        wrong.append(f"{place}: {value!r} is not a duration")


def check_model(model, value, place, selected, wrong):
    """Compares a JSON object with a model."""
    if not isinstance(value, dict):
        wrong.append(f"{place}: not an object")
        return
    known = members(model)
    for name, item in value.items():
        if name in known:
            annotation, form = known[name]
            check(annotation, form, item, f"{place}.{name}", selected, wrong)
        elif name not in EXTRA:
            wrong.append(f"{place}: {model.__name__} has no member {name}")
    for name, (annotation, _) in known.items():
        is_optional = type(None) in typing.get_args(annotation)
        if not (is_optional or selected or name in value or (model.__name__, name) in ABSENT):
            wrong.append(f"{place}: {model.__name__}.{name} is missing")


def key(text):
    """A text without its numbers and ids: polls differ in nothing else."""
    return re.sub(r"[0-9a-f]{8,}|[0-9]+", "0", text or "")


def judge(exchanges):
    """Everything that is wrong in the exchanges, which operations they are of, and how many there were of `fanout` and in all."""
    wrong, operations, seen, counts = [], set(), set(), [0, 0]
    for exchange in exchanges:
        if exchange["version"] != "2025-06-01":
            continue
        method, status, text = exchange["method"], exchange["status"], exchange["answer"]
        path, _, query = exchange["target"].partition("?")
        is_ours = (exchange["agent"] or "").startswith("fanout/")
        counts[0] += is_ours
        counts[1] += 1
        where = f"{method} {path}"
        match = [row for row in OPERATIONS if row[0] == method and re.fullmatch(row[1], path)]
        pattern = match[0][1] if match else path
        if match and status < 400:
            operations.add((method, pattern))
        mark = (method, pattern, status, is_ours, "$select" in query, key(exchange["request"]), key(text))
        if mark in seen:
            continue
        seen.add(mark)
        if status >= 400:
            if method != "HEAD":
                check_model(_models.BatchError, json.loads(text), f"{where} {status}", False, wrong)
        elif not match and "/files/" not in path:
            wrong.append(f"{where}: not an operation of the description")
        if not match:
            continue
        _, _, request_model, answer_model, is_list = match[0]
        # A collection is answered 200 also when tasks in it are refused.
        is_accepted = status < 400 and "ClientError" not in (text or "")
        if exchange["request"] and (is_ours or is_accepted):
            if request_model is None:
                wrong.append(f"{where}: a body that nobody expects")
                continue
            # A PUT sends the part of a resource that can be written.
            request = json.loads(exchange["request"])
            check_model(getattr(_models, request_model), request, f"{where} request", method == "PUT", wrong)
        if status >= 300:
            continue
        if answer_model is None:
            if text:
                wrong.append(f"{where}: an answer that should be empty is {text!r}")
            continue
        selected = "$select" in urllib.parse.parse_qs(query)
        document = json.loads(text)
        for index, item in enumerate(document["value"] if is_list else [document]):
            check_model(getattr(_models, answer_model), item, f"{where} [{index}]", selected, wrong)
    return wrong, operations, counts


def read(path):
    """The exchanges of a log."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def run(log):
    """A run of `fanout submit`, and the calls of the official client, whose exchanges go to `log`."""
    service = subprocess.Popen([FANOUT, "emulate", "--quiet", "--exchanges", log], stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(service.stdout.readline())
        with tempfile.TemporaryDirectory() as state:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": state,
                "XDG_STATE_HOME": state,
                "AZURE_BATCH_ACCESS_KEY": ready["batch"]["key"],
                "AZURE_STORAGE_KEY": ready["blob"]["key"],
            }
            flags = [
                "--batch-endpoint", ready["batch"]["endpoint"],
                "--batch-account", ready["batch"]["account"],
                "--storage-endpoint", ready["blob"]["endpoint"],
                "--storage-account", ready["blob"]["account"],
            ]
            command = [FANOUT, "submit", "-q", "--nodes", "2", *flags, str(ROOT / "data")]
            submit = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS)
        assert submit.returncode == 0 and submit.stdout, submit.stderr
        client = azure_batch_2025.Judge(ready)
        client.tutorial()
        client.pools_and_nodes()
        client.jobs_and_tasks()
    finally:
        service.terminate()
        assert service.wait(LIMIT_SECONDS) == 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "exchanges.ndjson")
        run(log)
        wrong, operations, counts = judge(read(log))
    missing = {row[:2] for row in OPERATIONS} - operations - NOT_OFFERED
    assert not missing, f"operations that nobody called: {sorted(missing)}"
    suite = os.environ.get("FANOUT_EXCHANGES")
    if suite:
        more, _, of_suite = judge(read(suite))
        assert of_suite[0] > 0, f"{suite} holds no request of fanout"
        wrong += more
        counts = [sum(both) for both in zip(counts, of_suite)]
    assert not wrong, "\n".join(sorted(set(wrong))[:100])
    print(f"ok: {counts[1]} exchanges, {counts[0]} of them of fanout, fit the description of 2025-06-01")


main()
