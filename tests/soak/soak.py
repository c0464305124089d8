"""Owns the command of the soak: what is run, how often, and the table at its end.

`tests/run soak` starts it with all it needs; FANOUT and TOPN name the programs, EFFECTS the library that `effects.c` becomes.
"""
# needs: azure-batch==15.1.0 azure-storage-blob==12.31.1

import argparse
import collections
import concurrent.futures
import os
import sys
import threading
import time

import faults
import kills
from place import Service
from tally import Tally


class Services:
    """One service for each thread, so that the faults of one run meet no other; all are ended, and judged, together."""

    def __init__(self):
        self.own = threading.local()
        self.all = []

    def __call__(self):
        if not hasattr(self.own, "service"):
            self.own.service = Service()
            self.all.append(self.own.service)
        return self.own.service

    def stop(self, tally):
        for service in self.all:
            left = service.left() + service.stop()
            if left:
                tally.fault(f"left: {left}")
                tally.add(left=len(left))


def each(work, workers):
    """Runs the callables of `work`, which is drawn from only as they end, so that it may look at what they counted."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        running = set()
        for job in work:
            running.add(pool.submit(job))
            if len(running) >= workers:
                done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    future.result()
        for future in running:
            future.result()


def kill_test(options):
    tally = Tally()
    service = Service()
    each(kills.chains(service, os.environ["EFFECTS"], tally, options.kills, options.seed), options.workers)
    left = service.left() + service.stop()
    if left:
        tally.fault(f"left: {left}")
    tally.add(left=len(left))
    return tally


def fault_test(options):
    tally = Tally()
    services = Services()
    each(faults.trials(services, tally, options.trials, options.seed), options.workers)
    services.stop(tally)
    return tally


def storm_test(options):
    tally = Tally()
    services = Services()
    each(faults.storms(services, tally, options.storms, options.seed), options.workers)
    services.stop(tally)
    return tally


def main():
    parser = argparse.ArgumentParser(description="Kills runs, harms them, and prints what became of them.")
    parser.add_argument("--kills", type=int, default=500, help="clients to kill (default: 500)")
    parser.add_argument("--trials", type=int, default=20, help="runs under each kind of fault (default: 20)")
    parser.add_argument("--storms", type=int, default=100, help="runs in a storm of faults (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="where random choices begin (default: 1)")
    parser.add_argument("--workers", type=int, default=2, help="runs at a time (default: 2)")
    options = parser.parse_args()
    rows, tallies = [], []
    begun = time.monotonic()

    def row(what, result, seconds):
        rows.append(f"| {what} | {result} | {seconds:.0f} s |")

    if options.kills:
        at = time.monotonic()
        tally = kill_test(options)
        tallies.append(tally)
        what = "kills survived with the same answer and nothing left"
        row(what, f"{tally.survived} of {tally.kills}, in {tally.chains} runs", time.monotonic() - at)
        row("tasks started, and started again without need", f"{tally.tasks}, {tally.started_again}", 0)
    if options.trials:
        at = time.monotonic()
        tally = fault_test(options)
        tallies.append(tally)
        done = tally.survived + tally.refused
        result = f"{done} of {tally.trials}: {tally.survived} right, {tally.refused} refused"
        row(f"{len(tally.kinds)} kinds of faults × {options.trials} runs finished right or refused clearly", result, time.monotonic() - at)
    if options.storms:
        at = time.monotonic()
        tally = storm_test(options)
        tallies.append(tally)
        result = f"{tally.survived} of {tally.trials} exact, {tally.nodes_lost} nodes lost"
        row("storms: 5 % of all requests, three of eight nodes", result, time.monotonic() - at)
    total = collections.Counter()
    for tally in tallies:
        total.update(wrong=tally.bytes_wrong, left=tally.left, faults=len(tally.faults))
    row("answers with bytes lost or doubled", total["wrong"], time.monotonic() - begun)
    row("left behind: pools, jobs, containers, processes, files", total["left"], time.monotonic() - begun)
    print("\n| what | result | time |\n|---|---|---|")
    print("\n".join(rows))
    print(f"{total['faults']} faults found")
    sys.exit(bool(total["faults"]))


if __name__ == "__main__":
    main()
