"""Owns the judgement of runs whose client is killed: `submit` is killed at each of its outside effects and at random instants,
`resume` in its turn, and the run must end with the bytes of `fanout count`, each task started once, nothing foreign, nothing left.

What an outside effect is, `effects.c` says.
"""

import dataclasses
import json
import random
import time

from place import Place, Service

SUBMIT = ["submit", "--shard-size", "6K", "--nodes", "2", "-o", "json"]
EFFECTS_FILES = "/fanout/fo-"
SIGKILL = -9


@dataclasses.dataclass
class Kill:
    """When a client dies: at its `at`th outside effect (`before` it or after `half` of it), or after `seconds`; else never."""

    at: int = 0
    how: str = "before"
    seconds: float = -1.0

    def __str__(self):
        if self.at:
            return f"{self.how} effect {self.at}"
        return f"after {self.seconds:.3f} s" if self.seconds >= 0 else "never"


class Chain:
    """One run: a submit that is killed, resumes that are killed, and one that ends it."""

    def __init__(self, service, library, tally, seed, name, keep=False, elsewhere=False):
        self.service, self.library, self.tally, self.name = service, library, tally, name
        self.rng = random.Random(seed)
        self.place = Place(self.rng)
        self.keep = ["--keep", "pool,job,blobs"] if keep else []
        self.elsewhere = elsewhere
        self.run = None
        self.answer = b""
        self.planned = 0
        self.kills = 0
        self.story = []

    def killed(self, args, kill, home="home"):
        """Runs a command that dies when `kill` says, and gives how it ended."""
        environment = {}
        if kill.at:
            environment = {
                "LD_PRELOAD": self.library,
                "EFFECTS_FILES": EFFECTS_FILES,
                "EFFECTS_KILL_AT": str(kill.at),
                "EFFECTS_KILL_HOW": kill.how,
            }
        child = self.place.start(self.service, args, home, **environment)
        if kill.seconds >= 0:
            time.sleep(kill.seconds)
            child.kill()
        ran = self.place.finish(child)
        self.story.append(f"{args[0]} killed {kill}: exit {ran.code}")
        if ran.code is None:
            self.fault("hangs")
        if ran.code == SIGKILL:
            self.kills += 1
        return ran

    def fault(self, what, ran=None):
        told = "\n  ".join([*self.story, *str(ran or "").splitlines()])
        self.tally.fault(f"{self.name} ({self.run}): {what}\n  {told}")

    def look(self):
        """After a kill: no task, job, pool or container that the run does not plan, as Microsoft's clients see it."""
        ids = [task.id for task in self.service.tasks(self.run)]
        if len(ids) != len(set(ids)) or not set(ids) <= {str(number) for number in range(1, self.planned + 1)}:
            self.fault(f"tasks {ids}")
        own = {f"pool {self.run}", f"job {self.run}"} | {f"container {self.run}-{name}" for name in ("app", "in", "out")}
        foreign = set(self.service.left(self.run)) - own
        if foreign:
            self.fault(f"foreign {sorted(foreign)}")

    def judge(self, submit_kill, resume_kills):
        """The whole chain; the place is removed at its end."""
        before = len(self.tally.faults)
        counted = self.place.run(None, ["count", "-o", "json", "in"])
        self.answer = counted.stdout
        ran = self.killed([*SUBMIT, *self.keep, "--topn", str(self.place.program), "in"], submit_kill)
        runs = self.place.runs()
        self.run = runs[-1] if runs else None
        recorded = self.run and self.place.root / "home/.local/state/fanout" / self.run / "record.ndjson"
        if ran.code not in (0, SIGKILL):
            self.fault("a submit that was not killed failed", ran)
        if recorded is not None and recorded.is_file():
            self.planned = self.planned_tasks(recorded)
            self.look()
            self.resume(ran, resume_kills)
            self.end()
        elif ran.code == 0:
            self.fault("no record of a whole run", ran)
        self.clean()
        self.nothing_left()
        if self.elsewhere and (left := self.service.left() + self.service.stop()):
            self.tally.add(left=len(left))
            self.fault(f"left: {left}")
        self.tally.add(kills=self.kills, chains=1)
        if len(self.tally.faults) == before:
            self.tally.add(survived=self.kills)
        self.place.remove()

    @staticmethod
    def planned_tasks(record):
        return len(json.loads(record.read_text().splitlines()[0])["spec"]["shards"])

    def resume(self, ran, resume_kills):
        """Resumes until one comes to its end; its answer, or the submit's, is what `count` says."""
        homes = ["elsewhere", "home"] if self.elsewhere else ["home"]
        if self.elsewhere:
            # Another machine takes a run over once its client has been silent for long.
            self.service.control("POST", "/clock", {"skewSeconds": 600})
        for kill in [*resume_kills, Kill()]:
            ran = self.killed(["resume", self.run, "-o", "json"], kill, homes[0])
            if ran.code == 3 and homes[0] == "elsewhere":
                # It was killed before a copy of the record was in the account, or after the account was empty.
                homes.pop(0)
                ran = self.killed(["resume", self.run, "-o", "json"], kill, homes[0])
            if ran.code == SIGKILL:
                self.look()
                continue
            if ran.code == 2 and b"is over" in ran.stderr:
                return
            if ran.code != 0:
                self.fault("not resumed", ran)
            elif ran.stdout != self.answer:
                self.tally.add(bytes_wrong=1)
                self.fault("another answer", ran)
            if kill.at == 0:
                return

    def end(self):
        """What the ended run shows: its answer again, its tasks, and how often each was started."""
        fetched = next(
            (ran for home in ("home", "elsewhere") if (ran := self.place.run(None, ["fetch", self.run, "-o", "json"], home)).code == 0),
            None,
        )
        if fetched is None or fetched.stdout != self.answer:
            self.tally.add(bytes_wrong=1)
            self.fault("fetch gives another answer", fetched)
        started = self.place.started(self.run)
        again = len(started) - len(set(started))
        self.tally.add(tasks=len(set(started)), started_again=again)
        if again or set(started) != {str(number) for number in range(1, self.planned + 1)}:
            self.fault(f"started {started} of {self.planned}")
        if self.keep:
            self.look_at_what_is_kept()
    def look_at_what_is_kept(self):
        """Each task succeeded at its first try, and the containers hold its outputs and no others."""
        tasks = self.service.tasks(self.run)
        tried = [task.id for task in tasks if task.execution_info.retry_count or task.execution_info.requeue_count]
        failed = [task.id for task in tasks if task.execution_info.exit_code != 0]
        if tried or failed or len(tasks) != self.planned:
            self.fault(f"of {len(tasks)} tasks {tried} were tried again and {failed} failed")
        owners = {name.split("/")[0] for name in self.service.outputs(self.run)}
        if owners != {task.id for task in tasks}:
            self.fault(f"outputs of {sorted(owners)}")

    def clean(self):
        """Removes the run by its command, which must leave no state of it, and what killed clients left of their own."""
        for home in ("elsewhere", "home"):
            if self.run in self.place.runs(home):
                cleaned = self.place.run(self.service, ["clean", self.run], home)
                if cleaned.code != 0:
                    self.fault("not cleaned", cleaned)
                if self.place.runs(home):
                    self.fault("the state of the run is left")
        # Nothing to clean: the next command that makes something of its own clears what a killed one left.
        self.place.run(self.service, ["plan", "in"])

    def nothing_left(self):
        left = self.place.left() + (self.service.left(self.run) if self.run else [])
        if left:
            self.tally.add(left=len(left))
            self.fault(f"left: {left}")


def effects_of_a_run(service, library):
    """How many outside effects a whole submit has, and how long it takes."""
    place = Place(random.Random(0))
    counted = place.root / "effects"
    begun = time.monotonic()
    ran = place.run(
        service,
        [*SUBMIT, "--topn", str(place.program), "in"],
        LD_PRELOAD=library,
        EFFECTS_FILES=EFFECTS_FILES,
        EFFECTS_COUNT=str(counted),
    )
    assert ran.code == 0, ran
    effects = int(counted.read_text())
    place.remove()
    return effects, time.monotonic() - begun


def chains(service, library, tally, kills_wanted, seed):
    """The work of a kill test, one callable a chain, until `kills_wanted` kills are done: first every effect, then random ones."""
    effects, seconds = effects_of_a_run(service, library)
    print(f"a run has {effects} outside effects and takes {seconds:.2f} s", flush=True)
    rng = random.Random(seed)
    points = [Kill(at, how) for at in range(1, effects + 1) for how in ("before", "half")]
    rng.shuffle(points)
    number = 0
    while tally.kills < kills_wanted:
        number += 1
        if points and number % 4 != 0:
            kill = points.pop()
        elif number % 4 == 1:
            kill = Kill(rng.randint(1, effects), rng.choice(["before", "half"]))
        else:
            kill = Kill(seconds=rng.uniform(0, seconds))
        resumes = []
        if number % 2 == 0:
            resumes = [
                Kill(rng.randint(1, effects // 2)) if rng.random() < 0.6 else Kill(seconds=rng.uniform(0, seconds))
                for _ in range(rng.randint(1, 3))
            ]
        yield lambda number=number, kill=kill, resumes=resumes: one(service, library, tally, seed, number).judge(kill, resumes)


def one(service, library, tally, seed, number):
    """The chain of this number: in every third everything is kept, every seventh is finished on another machine."""
    elsewhere = number % 7 == 0
    own = Service() if elsewhere else service
    return Chain(own, library, tally, f"{seed} {number}", f"chain {number}", number % 3 == 0, elsewhere)
