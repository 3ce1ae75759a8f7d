"""A process that works under one profiler: once with its truth told, or batch by batch for its cost."""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from typing import Any

import work
from watching import WATCHES, Pyinstrument, Watch

#: What is done for the second table; rounds a batch: about a second, for what ours keeps is written once a second.
BATCHES: dict[str, work.Workload] = {
    "CPU-bound": work.Workload(((work.python, 20_000), (work.encode, 10), (work.calls, 15_000)), rounds=160),
    "mixed": work.Workload(
        (
            (work.python, 20_000), (work.encode, 10), (work.compress, 100_000), (work.nap, 0.002),
            (work.calls, 10_000), (work.wait, 0.001),
        ),
        rounds=160,
    ),
}  # fmt: skip
_ROUNDS_A_TRANSACTION = 4
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)


def say(what: dict[str, Any]) -> None:
    """One line to who started us."""
    print(json.dumps(what), flush=True)


def accuracy(watch: Watch, options: argparse.Namespace) -> None:
    """Work, and tell what was true and what was seen."""
    sys.stdin.readline()
    watch.start()
    truth = work.run(options.workload, options.seconds, options.seed, watch)
    watch.stop()
    say({
        "wall": truth.wall, "cpu": truth.cpu, "seen": watch.seen, "clock": watch.clock, "said": watch.said,
    })  # fmt: skip


def cost(watch: Watch, options: argparse.Namespace) -> None:
    """A batch for each line heard, under the profiler or not; the time it took, and of the processor all threads'."""
    batch = BATCHES[options.workload]
    installed = options.watch == "ours"
    bare = Watch(options.rate, options.budget)
    if installed:
        watch.start()
    for line in sys.stdin:
        watched = watch if line.strip() == "with" else bare
        chance, truth = work.random.Random(options.seed), work.Truth()
        if not installed:
            watched.start()
        began, spent = time.perf_counter(), time.process_time()
        with watched.thread():
            for _ in range(batch.rounds // _ROUNDS_A_TRANSACTION):
                with watched.transaction("batch"):
                    for _ in range(_ROUNDS_A_TRANSACTION):
                        work.once(batch.steps, chance, truth)
        took = time.perf_counter() - began
        watched.settle()
        used = time.process_time() - spent
        if not installed:
            watched.stop()
        time.sleep(watched.lingers)
        say({"wall": took, "cpu": used})
    if installed:
        watch.stop()
    say({"said": watch.said})


def main() -> None:
    """Say that we are ready, and wait for the word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("accuracy", "cost"))
    parser.add_argument("watch", choices=WATCHES)
    parser.add_argument("workload")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--budget", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    if sys.platform == "linux":  # py-spy is no parent of ours, and may look at us all the same
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    watch = WATCHES[options.watch](options.rate, options.budget)
    if isinstance(watch, Pyinstrument):
        workload = work.WORKLOADS.get(options.workload)
        watch.tasks = workload is not None and workload.tasks
    say({"ready": True})
    if options.what == "accuracy":
        accuracy(watch, options)
    else:
        cost(watch, options)


if __name__ == "__main__":
    main()
