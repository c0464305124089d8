"""One run of a command, and commands in turn: seconds, CPU seconds, memory, and what it printed."""

import os
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """A finished run."""

    wall: float  # seconds; those of the query alone if the command told them
    cpu: float  # seconds, user and system
    peak: int  # bytes of memory, with mapped files
    anonymous: int  # bytes at most, without mapped files; 0 unless asked for
    output: bytes


@dataclass(frozen=True)
class Figures:
    """Medians of several runs."""

    runs: int
    wall: float
    wall_min: float
    wall_max: float
    cpu: float
    peak: float
    anonymous: float


def run_once(command: list[str], watch_memory: bool = False) -> Run:
    """Runs `command` to its end; stops everything if it fails."""
    out = os.memfd_create("out")
    err = os.memfd_create("err")
    actions = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2)]
    started = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    anonymous = peak_of_anonymous(pid) if watch_memory else 0
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    output, errors = contents(out), contents(err)
    if status != 0:
        raise SystemExit(f"{' '.join(command)}: exit {os.waitstatus_to_exitcode(status)}\n{errors.decode(errors='replace')}")
    told = re.search(rb"^seconds ([0-9.]+)$", errors, re.MULTILINE)
    wall = float(told[1]) if told else wall
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, anonymous, output)


def contents(file: int) -> bytes:
    """All of a file in memory, which is closed."""
    with open(file, "rb") as opened:
        opened.seek(0)
        return opened.read()


def peak_of_anonymous(pid: int) -> int:
    """The most memory that is no mapped file, looked at every millisecond until the process ends."""
    peak = 0
    status = Path(f"/proc/{pid}/status")
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        found = re.search(r"^RssAnon:\s+(\d+) kB", status.read_text(encoding="ascii"), re.MULTILINE)
        peak = max(peak, int(found[1]) * 1024 if found else 0)
        time.sleep(0.001)
    return peak


def in_turn(commands: list[list[str]], times: int, watch_memory: bool = False) -> list[list[Run]]:
    """Runs the commands one after the other, `times` times: a machine that gets slower is slower for all of them."""
    runs: list[list[Run]] = [[] for _ in commands]
    for _ in range(times):
        for command, done in zip(commands, runs, strict=True):
            done.append(run_once(command, watch_memory))
    return runs


def figures(runs: list[Run]) -> Figures:
    """The medians."""
    walls = [run.wall for run in runs]
    return Figures(
        len(runs),
        statistics.median(walls),
        min(walls),
        max(walls),
        statistics.median(run.cpu for run in runs),
        statistics.median(run.peak for run in runs),
        statistics.median(run.anonymous for run in runs),
    )
