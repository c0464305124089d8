"""Owns what a soak counts, from all its threads."""

import dataclasses
import threading


@dataclasses.dataclass
class Tally:
    """What a soak counts. One lock for all threads: nothing here takes long."""

    kills: int = 0
    survived: int = 0
    chains: int = 0
    tasks: int = 0
    started_again: int = 0
    bytes_wrong: int = 0
    left: int = 0
    trials: int = 0
    refused: int = 0
    nodes_lost: int = 0
    kinds: set = dataclasses.field(default_factory=set)
    faults: list = dataclasses.field(default_factory=list)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def add(self, **more):
        with self.lock:
            for name, value in more.items():
                setattr(self, name, getattr(self, name) + value)

    def fault(self, what):
        with self.lock:
            self.faults.append(what)
        print(f"FAULT {what}", flush=True)
