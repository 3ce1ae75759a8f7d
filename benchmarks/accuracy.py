"""Measures the sampler against truth that is timed inside the workers: `python benchmarks/accuracy.py [--seconds N]`.

Each workload runs with a naive sampling thread and with ours. *Wrong* is the share of time booked on another function
than the one it was spent in (half the sum of differences); *largest* the largest difference of one function's share,
in points. The second table is what looking costs: a loop on one CPU with the sampler off and on, interleaved.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable

from apm_agent.model.profile import UNCERTAIN
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.sampler import Sampler

_now = time.perf_counter_ns
_blocked = threading.Lock()
_blocked.acquire()
_DOCUMENT = {"rows": [{"id": i, "name": "x" * 20} for i in range(60)]}
_NUMBERS = [random.random() for _ in range(36_000)]
_BYTES = random.randbytes(400_000)


def python(n: int) -> None:
    """Plain Python for about `n` × 50 ns."""
    total = 0
    for i in range(n):
        total += i * i


def python_too(n: int) -> None:
    """Another function of plain Python."""
    total = 1
    for i in range(n):
        total = (total * 3 + i) % 1_000_003


def encode(n: int) -> None:
    """Short calls into C that keep the GIL."""
    for _ in range(n):
        json.loads(json.dumps(_DOCUMENT))


def sort() -> None:
    """A call into C that keeps the GIL for about 10 ms."""
    sorted(_NUMBERS)


def compress() -> None:
    """A call into C that gives the GIL up for some milliseconds."""
    zlib.compress(_BYTES, 1)


def nap(seconds: float) -> None:
    """Sleep."""
    time.sleep(seconds)


def wait(seconds: float) -> None:
    """Wait for a lock, as for a connection."""
    _blocked.acquire(True, seconds)


FUNCTIONS = {f.__code__: f.__name__ for f in (python, python_too, encode, sort, compress, nap, wait)}
Step = tuple[Callable[..., None], tuple[float, ...]]
#: name → (what one round does, threads, rounds a transaction)
WORKLOADS: dict[str, tuple[tuple[Step, ...], int, int]] = {
    "stages of 20 ms": (((python, (400_000,)), (nap, (0.02,)), (encode, (220,)), (wait, (0.01,))), 1, 2),
    "python, C without GIL, sleep": (((python, (80_000,)), (compress, ()), (nap, (0.002,))), 1, 20),
    "the same": (((python, (80_000,)), (compress, ()), (nap, (0.002,))), 2, 20),
    "10 ms python, 2 ms wait": (((python, (200_000,)), (wait, (0.002,))), 1, 10),
    "the same ": (((python, (200_000,)), (wait, (0.002,))), 4, 10),
    "requests of 15 ms": (((python, (100_000,)), (nap, (0.003,)), (python_too, (80_000,))), 1, 1),
    "python + json + 0.2 ms sleeps": (((python, (10_000,)), (encode, (5,)), (nap, (0.0002,))), 1, 60),
    "the same  ": (((python, (10_000,)), (encode, (5,)), (nap, (0.0002,))), 4, 60),
    "db: 0.2 ms waits": (((python, (4_000,)), (encode, (2,)), (wait, (0.0002,))), 1, 100),
    "the same   ": (((python, (4_000,)), (encode, (2,)), (wait, (0.0002,))), 4, 100),
    "python + 10 ms C with GIL": (((python, (80_000,)), (sort, ())), 1, 8),
    "pure python": (((python, (60_000,)), (python_too, (60_000,))), 4, 10),
}


class Naive:
    """What everyone writes first: sleep, look, book the interval on whatever is there."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.at_work: dict[int, Transaction] = {}
        self.seen: Counter[str] = Counter()
        self.looks = 0
        self.closed = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def start(self, transaction: Transaction) -> None:
        """Watch the calling thread."""
        self.at_work[threading.get_ident()] = transaction

    def stop(self, transaction: Transaction) -> None:
        """Watch it no more."""
        self.at_work.pop(threading.get_ident(), None)

    def run(self) -> None:
        """Look."""
        last = _now()
        while not self.closed:
            time.sleep(self.interval)
            now, frames = _now(), sys._current_frames()
            self.looks += 1
            for ident in list(self.at_work):
                frame = frames.get(ident)
                while frame is not None:
                    name = FUNCTIONS.get(frame.f_code)
                    if name:
                        self.seen[name] += now - last
                        break
                    frame = frame.f_back
            last = now

    def close(self) -> None:
        """Stop looking."""
        self.closed = True
        self.thread.join()


def measure(
    workload: str, seconds: float, watch: Naive | Sampler
) -> tuple[Counter[str], Counter[str], int, int]:
    """True and sampled nanoseconds by function, uncertain nanoseconds, samples."""
    steps, threads, rounds = WORKLOADS[workload]
    truth: list[Counter[str]] = [Counter() for _ in range(threads)]
    finished: list[list[Transaction]] = [[] for _ in range(threads)]
    end = _now() + int(seconds * 1e9)

    def work(number: int) -> None:
        mine = truth[number]
        while _now() < end:
            transaction = Transaction("web", workload, time.monotonic_ns())
            watch.start(transaction)
            for _ in range(rounds):
                for function, arguments in steps:
                    began = _now()
                    function(*arguments)
                    mine[function.__name__] += _now() - began
            transaction.end_ns = time.monotonic_ns()
            transaction.ended = True
            watch.stop(transaction)
            finished[number].append(transaction)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seen: Counter[str] = Counter()
    uncertain = samples = 0
    for transaction in (t for some in finished for t in some):
        for sample in transaction.samples:
            samples += 1
            uncertain += sample.weight_ns * (sample.state == UNCERTAIN)
            name = next((FUNCTIONS[code] for code in sample.stack[::2] if code in FUNCTIONS), "")
            if name:
                seen[name] += sample.weight_ns
    return sum(truth, Counter()), (watch.seen if isinstance(watch, Naive) else seen), uncertain, samples


def compare(truth: Counter[str], seen: Counter[str]) -> tuple[float, float, str]:
    """Share of time on the wrong function, the largest difference in points, and all functions in words."""
    whole, sampled = sum(truth.values()) or 1, sum(seen.values()) or 1
    shares = {name: (truth[name] / whole * 100, seen[name] / sampled * 100) for name in truth}
    differences = [abs(true - got) for true, got in shares.values()]
    words = ", ".join(f"{name} {true:.1f}→{got:.1f}" for name, (true, got) in shares.items())
    return sum(differences) / 2, max(differences), words


def accuracy(seconds: float, interval: float, only: str) -> None:
    """The first table."""
    print(f"CPython {sys.version.split()[0]}, {1 / interval:.0f} looks a second asked, {seconds:.0f} s each")
    print(f"{'workload':32} {'threads':>7} {'naive wrong':>11} {'ours wrong':>10} {'largest':>8} {'uncertain':>9}"
          f" {'samples':>7} {'cpu':>6} {'looks/s':>7} {'late p90':>8} {'total':>6}")  # fmt: skip
    for workload in WORKLOADS:
        if only not in workload:
            continue
        naive = Naive(interval)
        naive_wrong = compare(*measure(workload, seconds, naive)[:2])[0]
        naive.close()
        sampler = Sampler(interval, 0.05)
        truth, seen, uncertain, samples = measure(workload, seconds, sampler)
        stats = sampler.stats()
        sampler.close()
        wrong, largest, words = compare(truth, seen)
        whole = sum(seen.values()) or 1
        total = whole / sum(truth.values())
        print(f"{workload:32} {WORKLOADS[workload][1]:7} {naive_wrong:10.1f}% {wrong:9.1f}% {largest:8.1f}"
              f" {uncertain / whole * 100:8.1f}% {samples:7} {stats['cpu_share'] * 100:5.2f}%"
              f" {stats['achieved_per_s']:7.1f} {stats['late_ms_p90']:5.2f} ms {total:6.3f}  {words}",
              flush=True)  # fmt: skip


def cost(seconds: float) -> None:
    """The second table."""
    print("\nlooks a second  CPU of the process, on/off  sampler's own CPU")

    def busy(until: float) -> tuple[int, float]:
        rounds, began = 0, time.process_time()
        while time.perf_counter() < until:
            python(5_000)
            encode(2)
            rounds += 1
        return rounds, time.process_time() - began

    for rate in (10, 100, 250):
        sampler = Sampler(1 / rate, 1.0)
        spent = {False: [0, 0.0], True: [0, 0.0]}
        for turn in range(int(seconds / 0.25)):
            on = bool(turn % 2)
            transaction = Transaction("web", "busy", time.monotonic_ns())
            if on:
                sampler.start(transaction)
            rounds, cpu = busy(time.perf_counter() + 0.25)
            if on:
                transaction.end_ns = time.monotonic_ns()
                transaction.ended = True
                sampler.stop(transaction)
            spent[on][0] += rounds
            spent[on][1] += cpu
        ratio = (spent[True][1] / spent[True][0]) / (spent[False][1] / spent[False][0])
        stats = sampler.stats()
        sampler.close()
        print(f"{rate:14}  {ratio:26.3f}  {stats['cpu_share'] * 100:16.2f}%", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="a workload and sampler (10)")
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between two looks (0.01)")
    parser.add_argument("--only", default="", help="workloads with this in their name")
    options = parser.parse_args()
    accuracy(options.seconds, options.interval, options.only)
    cost(options.seconds)
