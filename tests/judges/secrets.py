"""Owns the judgement of secrets over a whole test run: in all that our programs printed, wrote to their state and sent while the other
suites ran, there is no key and no signature but where one belongs.

A signature belongs in `httpUrl`, `storageContainerUrl` and `containerUrl` of a Batch body and in the URL of a Blob request; keys and the
token of the control endpoint in the ready line of `fanout emulate` and the exports of its `--env`. KEPT is the folder that
`tests/soak/effects.c` filled.
"""
# when: last

import base64
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Azurite's key, which its documentation prints.
KNOWN = {"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="}
# 64 bytes in Base64, or the end of more: the keys of both services look so, and nothing that we print.
KEY = re.compile(rb"[A-Za-z0-9+/]{86}==")
SIGNATURE = re.compile(rb"[?&;\"'\s]sig(?:=|%3[dD])(?!REDACTED)[A-Za-z0-9%+/]", re.IGNORECASE)
AUTHORIZATION = re.compile(rb"(?:SharedKey(?:Lite)? [a-z0-9]+:|Bearer )[A-Za-z0-9+/=_-]{16}")
MAY_BE_SIGNED = ("httpUrl", "storageContainerUrl", "containerUrl")
HEAD = re.compile(rb"(GET|PUT|POST|HEAD|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")
# What any run of the tests must have left to judge; much less would mean that nothing was kept.
LEAST = {"stdout": 100, "stderr": 60, "file": 40, "batch body": 100}


class Judgement:
    """What was looked at, and what was found."""

    def __init__(self, known):
        self.known = {secret.encode() for secret in known if len(secret) >= 16}
        self.looked = collections.Counter()
        self.found = []

    def look(self, where, text):
        for name, pattern in (("key", KEY), ("signature", SIGNATURE), ("authorization", AUTHORIZATION)):
            for match in pattern.finditer(text):
                around = text[max(0, match.start() - 60) : match.start() + 12]
                self.found.append(f"{where}: a {name} after {around!r}")
        for secret in self.known:
            if secret in text and not KEY.search(text):
                self.found.append(f"{where}: a known secret")

    def stream(self, path):
        kind = path.name.split("-")[-3]
        text = path.read_bytes()
        self.looked[kind] += 1
        if kind == "socket":
            self.requests(path.name, text)
        elif kind == "stdout":
            self.look(path.name, without_announcements(text))
        else:
            self.look(path.name, text)

    def requests(self, where, text):
        """Each request of a client: its head without what signs it, and its body."""
        at = 0
        while match := HEAD.search(text, at):
            end = text.find(b"\r\n\r\n", match.end())
            if end < 0:
                return
            headers = text[match.end() : end]
            length = re.search(rb"^content-length: *(\d+)", headers, re.IGNORECASE | re.MULTILINE)
            body = text[end + 4 : end + 4 + int(length[1]) if length else end + 4]
            at = end + 4 + len(body)
            unsigned = re.sub(rb"^authorization:.*$", b"", headers, flags=re.IGNORECASE | re.MULTILINE)
            if b"api-version=" in match[2]:
                self.looked["batch request"] += 1
                self.look(f"{where} {match[1].decode()} {match[2].decode()}", match[2] + b"\n" + unsigned)
                if body:
                    self.looked["batch body"] += 1
                    self.look(f"{where}, body of {match[1].decode()} {match[2].decode()}", without_urls(body))
            else:
                self.looked["blob request"] += 1
                # The URL is signed, also where it is the source of a copy.
                unsigned = re.sub(rb"^x-ms-copy-source:.*$", b"", unsigned, flags=re.IGNORECASE | re.MULTILINE)
                self.look(f"{where} {match[1].decode()} {match[2].split(b'?')[0].decode()}", unsigned)
                if b"\0" not in body:
                    self.look(f"{where}, body of {match[2].split(b'?')[0].decode()}", body)


def without_announcements(text):
    """Standard output without what `fanout emulate` says to whoever started it."""
    lines = text.split(b"\n")
    announces = [line for line in lines if line.startswith((b'{"batch":', b"export "))]
    return b"\n".join(line for line in lines if line not in announces)


def without_urls(body):
    """A Batch body without the members that may be signed."""

    def pruned(value):
        if isinstance(value, dict):
            return {name: pruned(member) for name, member in value.items() if name not in MAY_BE_SIGNED}
        return [pruned(member) for member in value] if isinstance(value, list) else value

    try:
        return json.dumps(pruned(json.loads(body)), ensure_ascii=False).encode()
    except ValueError:
        return body


def announced(folder):
    """Keys and tokens that services said at their start."""
    secrets = set()
    for path in folder.glob("fanout-stdout-*"):
        for line in path.read_bytes().split(b"\n"):
            if line.startswith(b'{"batch":'):
                ready = json.loads(line)
                secrets |= {ready["batch"]["key"], ready["blob"]["key"], ready["control"]["token"]}
    return secrets


def judged(folder):
    judgement = Judgement(KNOWN | announced(folder))
    for path in sorted(folder.iterdir()):
        judgement.stream(path)
    return judgement


def plant():
    """Every place in which a secret may not be, with one in it: each must be found, and nothing where they may be."""
    key = base64.b64encode(bytes(range(64))).decode()
    ready = json.dumps({"batch": {"key": key}, "blob": {"key": key}, "control": {"url": "", "token": "t" * 32}}, separators=(",", ":"))
    url = "http://127.0.0.1/a/c?sv=1&sig=abcd%3D"

    def post(path, body):
        return f"POST {path} HTTP/1.1\r\ncontent-length: {len(body)}\r\nauthorization: SharedKey a:{key}\r\n\r\n{body}"

    jobs = "/jobs?api-version=2025-06-01"
    allowed = {
        "fanout-stdout-1-1": f"{ready}\nexport AZURE_BATCH_ACCESS_KEY='{key}'\nthe\t3\n",
        "fanout-stderr-1-2": "GET http://127.0.0.1/a?sv=1&sig=REDACTED\n",
        "fanout-socket-1-3": post(jobs, json.dumps({"resourceFiles": [{"httpUrl": url}]})) + post(jobs, "{}"),
        "fanout-socket-1-4": f"PUT /a/c?sig=abcd HTTP/1.1\r\ncontent-length: 2\r\nauthorization: SharedKey a:{key}\r\n\r\nhi",
    }
    planted = {
        "fanout-stdout-2-1": f"a\t1\n{key}\t1\n",
        "topn-stdout-2-2": f"x {url}\n",
        "fanout-stderr-2-3": f"error: {url}\n",
        "fanout-stderr-2-4": f"debug: Authorization: SharedKey a:{key}\n",
        "fanout-stderr-2-5": "control: " + "t" * 32,
        "fanout-file-2-6": json.dumps({"version": 1, "event": "plan", "sas": url}),
        "fanout-file-2-7": json.dumps({"key": key}),
        "fanout-socket-2-8": post(jobs, json.dumps({"commandLine": f"topn '{url}'"})),
        "fanout-socket-2-9": post(jobs, "{}") + post(jobs, json.dumps({"environmentSettings": [{"name": "K", "value": key}]})),
        "fanout-socket-2-10": f"GET /jobs?api-version=1&sig=abcd HTTP/1.1\r\nhost: a\r\n\r\n",
        "fanout-socket-2-11": f"PUT /a/c?sig=abcd HTTP/1.1\r\ncontent-length: {len(url)}\r\n\r\n{url}",
    }
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file, text in (allowed | planted).items():
            (folder / file).write_text(text)
        found = judged(folder).found
    missed = [file for file in planted if not any(line.startswith((f"{file}:", f"{file} ", f"{file},")) for line in found)]
    wrong = [line for line in found if line.startswith(tuple(allowed))]
    assert not missed and not wrong, f"missed {missed}, wrongly found {wrong}"


def plant_in_a_program():
    """A program that prints a key, kept and judged as all the others are."""
    key = base64.b64encode(bytes(range(64))).decode()
    with tempfile.TemporaryDirectory() as name:
        environment = os.environ | {"EFFECTS_KEEP": name, "LD_PRELOAD": os.environ["EFFECTS"]}
        subprocess.run([os.environ["FANOUT"], "count", f"no/{key}"], env=environment, stderr=subprocess.DEVNULL, check=False)
        found = judged(pathlib.Path(name)).found
    assert found, "a key on standard error was not found"


def main():
    plant()
    plant_in_a_program()
    judgement = judged(pathlib.Path(os.environ["KEPT"]))
    print(", ".join(f"{count} × {what}" for what, count in sorted(judgement.looked.items())))
    for line in judgement.found[:40]:
        print(line)
    few = {what: judgement.looked[what] for what, least in LEAST.items() if judgement.looked[what] < least}
    if few:
        print(f"too little was kept to be judged: {few}, at least {LEAST}")
    print(f"{len(judgement.found)} secrets")
    sys.exit(bool(judgement.found or few))


if __name__ == "__main__":
    main()
