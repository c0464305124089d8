"""Owns the judgement of runs under faults of the services: one kind at a time at random places, and storms in which one request in
twenty fails and three of eight nodes are lost.

A run ends with the bytes of `fanout count`, or, where a fault may end it, it says so: a documented exit code, a message, no answer. It
never hangs, and leaves nothing.
"""

import json
import random
import subprocess
import threading
import urllib.error

from place import FANOUT, Place

SUBMIT = ["submit", "--shard-size", "6K", "-o", "json"]
# Exit codes that may end a run under a fault: other, not authorised, tasks failed, pool failed, quota, time.
REFUSALS = {1, 4, 5, 6, 7, 8}
# What each operation of a run looks like on the wire, so that a fault hits something.
BATCH = [
    ("POST", "/pools"), ("GET", "/pools/"), ("DELETE", "/pools/"), ("GET", "/nodes"), ("GET", "/supportedimages"),
    ("POST", "/jobs"), ("POST", "addtaskcollection"), ("GET", "/tasks"), ("DELETE", "/jobs/"), (None, ""),
]
BLOB = [
    ("PUT", "restype=container"), ("PUT", "-app/"), ("PUT", "-in/"), ("PUT", "-out/"), ("GET", "comp=list"), ("GET", "-in/"),
    ("GET", "-app/"), ("GET", "/partial"), ("DELETE", "restype=container"), (None, ""),
]
# Statuses that pass, and that a client may try once more without harm; and final ones.
PASSING = {408, 413, 429, 500, 502, 503, 504}
FINAL = [(400, "InvalidInput"), (403, "AuthorizationFailure"), (409, "Conflict"), (412, "ConditionNotMet")]
# Effects that a run must come through.
HARMLESS = {"cut", "cutBody", "slow", "item", "lost", "preempt"}
# What is done beside the service's named faults: refusals, answers that are cut, and what its control endpoint offers.
OTHERS = ["refused", "answer-cut", "control-preempt", "control-unusable", "clock"]


def named_faults():
    """The service's list of faults, by name: each with what it hits and its JSON."""
    printed = subprocess.run([FANOUT, "emulate", "--list-faults"], check=True, stdout=subprocess.PIPE).stdout
    return {named["name"]: named for named in json.loads(printed)}


def somewhere(rng, service=None):
    """A place for a fault: a request of a run, after some that pass, a few times."""
    service = service or rng.choice(["batch", "blob"])
    method, path = rng.choice({"batch": BATCH, "blob": BLOB}[service])
    fault = {"service": service, "path": path, "skip": rng.choice([0, 0, 0, 1, 2, 5]), "count": rng.randint(1, 3)}
    return fault | ({"method": method} if method else {})


def variant(rng, named):
    """A named fault at a random place of what it hits."""
    fault = dict(named["fault"])
    if named["hits"] == "request" and "path" not in fault:
        return somewhere(rng, fault.get("service")) | {"effect": fault["effect"]}
    # One of two nodes may be lost for good: with both no run can end well.
    count = 1 if named["hits"] in ("node", "task") else rng.randint(1, 2)
    return fault | {"skip": fault["skip"] + rng.choice([0, 0, 1, 2]), "count": count}


def refused(rng):
    # Nothing is done of what is refused, and nothing is said to be missing that is there: of such lies no client could know.
    code, name = rng.choice(FINAL)
    return somewhere(rng) | {"effect": {"kind": "status", "status": code, "code": name}}


def answer_cut(rng):
    return somewhere(rng) | {"effect": {"kind": "cutBody", "bytes": rng.choice([0, 1, 20, 100, 1000])}}


class Trial:
    """One run under faults on a service that is used again afterwards."""

    def __init__(self, service, tally, seed, name):
        self.service, self.tally, self.name = service, tally, name
        self.rng = random.Random(seed)
        self.faults = []

    def fault(self, what, ran=None):
        self.tally.fault(f"{self.name} with {self.faults}: {what}\n  " + "\n  ".join(str(ran or "").splitlines()))

    def submit(self, place, args, during=None):
        """Runs `submit` while `during` does harm to what it made, then lifts all faults."""
        child = place.start(self.service, [*SUBMIT, *args, "--topn", str(place.program), "in"])
        over = threading.Event()
        harm = threading.Thread(target=during, args=(place, over)) if during else None
        if harm:
            harm.start()
        ran = place.finish(child)
        over.set()
        if harm:
            harm.join()
        self.service.control("DELETE", "/faults")
        self.service.control("POST", "/clock", {"skewSeconds": 0})
        return ran

    def judge(self, place, ran, must_be_exact):
        """Whether it was exact, refused, or neither, which is a fault."""
        counted = place.run(None, ["count", "-o", "json", "in"])
        text = ran.stderr.decode(errors="replace")
        if ran.code is None:
            self.fault("hangs", ran)
        elif ran.code == 0 and ran.stdout == counted.stdout:
            self.tally.add(survived=1)
        elif ran.code == 0:
            self.tally.add(bytes_wrong=1)
            self.fault("another answer", ran)
        elif ran.code not in REFUSALS or ran.stdout or "error: " not in text or "panicked" in text:
            self.fault("neither an answer nor a refusal", ran)
        elif must_be_exact:
            self.fault("no answer", ran)
        else:
            self.tally.add(refused=1)
        self.nothing_left(place, ran, text)
        self.tally.add(trials=1)
        place.remove()

    def nothing_left(self, place, ran, text):
        """Nothing is left of it; where the clean-up itself met a fault, after the command that the run printed."""
        for run in place.runs():
            if "this finishes it: fanout clean" in text:
                place.run(self.service, ["clean", run])
            left = self.service.left(run) + place.left()
            if left:
                self.tally.add(left=len(left))
                self.fault(f"left: {left}", ran)

    def must_be_exact(self, kind):
        """Whether a run must come through what was done to it: failures that pass, and a node less."""
        if kind == "clock":
            return abs(self.faults[0]["skewSeconds"]) < 900
        if kind.startswith("control-"):
            return kind == "control-preempt"
        effect = self.faults[0]["effect"]
        return effect["kind"] in HARMLESS or effect.get("status") in PASSING

    def kind(self, kind, named):
        """A run with one fault: a named one, or one of `OTHERS`."""
        place, args, during = Place(self.rng), ["--nodes", "2"], None
        if kind == "clock":
            self.faults = [{"skewSeconds": self.rng.choice([-3600, -600, -60, 60, 600, 3600])}]
            self.service.control("POST", "/clock", self.faults[0])
        elif kind.startswith("control-"):
            place = self.place_that_waits(place)
            during = self.lose(1, [kind.removeprefix("control-")])
        else:
            make = {"refused": refused, "answer-cut": answer_cut}.get(kind)
            self.faults = [make(self.rng) if make else variant(self.rng, named)]
            self.service.control("POST", "/faults", self.faults[0])
            if named and named["hits"] == "task":
                place = self.place_that_waits(place)
        ran = self.submit(place, args, during)
        self.judge(place, ran, self.must_be_exact(kind))

    def storm(self):
        """One request in twenty fails in one of five ways, and three of eight nodes are lost while tasks run."""
        place = self.place_that_waits(Place(self.rng, bytes_in_all=90_000))
        effects = [
            {"kind": "status", "status": 503, "code": "ServerBusy"},
            {"kind": "status", "status": 500, "code": "InternalError", "done": True},
            {"kind": "cut", "done": True},
            {"kind": "cut", "done": False},
            {"kind": "cutBody", "bytes": 100},
        ]
        # Drawn one after the other: each is met by what the ones before it let pass.
        self.faults = [{"oneIn": 100 - index, "effect": effect} for index, effect in enumerate(effects)]
        for fault in self.faults:
            self.service.control("POST", "/faults", fault)
        ran = self.submit(place, ["--nodes", "8"], self.lose(3, ["preempt", "unusable"]))
        self.judge(place, ran, must_be_exact=True)

    @staticmethod
    def place_that_waits(place):
        """A place whose tasks take long enough to lose their node."""
        text = place.program.read_text()
        place.program.write_text(text.replace("exec ", 'case "$1" in --version) ;; *) sleep 0.3 ;; esac\nexec '))
        return place

    def lose(self, nodes, actions):
        """Takes away `nodes` different nodes of the run's pool, each at a random moment after tasks were started."""

        def during(place, over):
            lost = set()
            while len(lost) < nodes and not over.wait(self.rng.uniform(0.02, 0.3)):
                run = next(iter(place.runs()), None)
                if not run or not place.started(run):
                    continue
                action = self.rng.choice(actions)
                node = self.rng.choice([node for node in self.service.nodes(run) if node not in lost] or [None])
                if node is None:
                    continue
                try:
                    self.service.control("POST", "/nodes", {"pool": run, "node": node, "action": action})
                except urllib.error.HTTPError as error:
                    if error.code != 404:
                        raise
                    continue
                lost.add(node)
                self.faults = [*self.faults, f"{action} {node[-4:]}"]
                self.tally.add(nodes_lost=1)

        return during


def trials(service, tally, times, seed):
    """`times` runs of each named fault and of `OTHERS`, one callable a run."""
    for kind, named in [*named_faults().items(), *((kind, None) for kind in OTHERS)]:
        tally.kinds.add(kind)
        for number in range(times):
            name = f"{kind} {number}"
            yield lambda kind=kind, named=named, name=name: Trial(service(), tally, f"{seed} {name}", name).kind(kind, named)


def storms(service, tally, times, seed):
    """`times` storms, one callable a run."""
    for number in range(times):
        name = f"storm {number}"
        yield lambda name=name: Trial(service(), tally, f"{seed} {name}", name).storm()
