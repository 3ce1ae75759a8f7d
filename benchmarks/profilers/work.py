"""Work of known shares: functions that spend time in known ways, and the truth about it, timed inside the workers."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

_now = time.perf_counter_ns
_cpu = time.thread_time_ns
_blocked = threading.Lock()
_blocked.acquire()
_DOCUMENT = {"rows": [{"id": i, "name": "x" * 20} for i in range(60)]}
_chance = random.Random(7)
_NUMBERS = [_chance.random() for _ in range(72_000)]
_BYTES = _chance.randbytes(800_000)


def python(size: float) -> None:
    """Plain Python, some milliseconds per 100,000."""
    total = 0
    for i in range(int(size)):
        total += i * i


def python_too(size: float) -> None:
    """Another function of plain Python."""
    total = 1
    for i in range(int(size)):
        total = (total * 3 + i) % 1_000_003


def calls(size: float) -> None:
    """Plain Python that is mostly calls, as templates and ORMs are."""
    for i in range(int(size)):
        _little(i)


def _little(i: int) -> int:
    return i + 1


def encode(size: float) -> None:
    """Short calls into C that keep the GIL."""
    for _ in range(int(size)):
        json.loads(json.dumps(_DOCUMENT))


def sort(size: float) -> None:
    """One call into C that keeps the GIL, about 10 ms for 36,000."""
    sorted(_NUMBERS[: int(size)])


def compress(size: float) -> None:
    """One call into C that gives the GIL up for some milliseconds."""
    zlib.compress(_BYTES[: int(size)], 1)


def nap(seconds: float) -> None:
    """Sleep."""
    time.sleep(seconds)


def wait(seconds: float) -> None:
    """Wait for a lock, as for a connection."""
    _blocked.acquire(True, seconds)


async def fetch(seconds: float) -> None:
    """Await, as for another server."""
    await asyncio.sleep(seconds)


Step = tuple[Callable[[float], Any], float]
FUNCTIONS = frozenset(
    f.__name__ for f in (python, python_too, calls, encode, sort, compress, nap, wait, fetch)
)
FILE = __file__


class Workload(NamedTuple):
    """What one round does, by how many threads (or tasks of one loop) at once, and how many rounds a transaction."""

    steps: tuple[Step, ...]
    at_once: int = 1
    rounds: int = 1
    tasks: bool = False


_MIXED = (
    (python, 100_000), (encode, 30), (sort, 18_000), (compress, 200_000), (nap, 0.003), (calls, 60_000),
    (wait, 0.002),
)  # fmt: skip
_SHORT = ((python, 4_000), (encode, 2), (wait, 0.0002))
_AWAITS = ((python, 100_000), (fetch, 0.01), (encode, 30))
WORKLOADS = {
    "python": Workload(((python, 60_000), (python_too, 60_000), (calls, 60_000)), rounds=4),
    "python, 4 threads": Workload(((python, 60_000), (python_too, 60_000)), at_once=4, rounds=4),
    "C holding the GIL": Workload(((python, 80_000), (sort, 36_000), (encode, 40)), rounds=4),
    "C releasing the GIL": Workload(((python, 80_000), (compress, 400_000)), rounds=6),
    "the same, 4 threads": Workload(((python, 80_000), (compress, 400_000)), at_once=4, rounds=6),
    "sleep": Workload(((python, 100_000), (nap, 0.003), (python_too, 80_000))),
    "locks": Workload(((python, 200_000), (wait, 0.002)), rounds=5),
    "locks, 4 threads": Workload(((python, 200_000), (wait, 0.002)), at_once=4, rounds=5),
    "waits of 0.2 ms": Workload(_SHORT, rounds=100),
    "waits of 0.2 ms, 4 threads": Workload(_SHORT, at_once=4, rounds=100),
    "all together": Workload(_MIXED, rounds=2),
    "all together, 4 threads": Workload(_MIXED, at_once=4, rounds=2),
    "async": Workload(_AWAITS, rounds=3, tasks=True),
    "async, 4 tasks": Workload(((python, 60_000), (fetch, 0.02), (encode, 20)), 4, 3, tasks=True),
}  # fmt: skip


class Around(Protocol):
    """What a profiler wants to be told: where a thread, a task and a transaction begin and end."""

    def thread(self) -> AbstractContextManager[Any]: ...

    def task(self) -> AbstractContextManager[Any]: ...

    def transaction(self, name: str) -> AbstractContextManager[Any]: ...


class Truth:
    """True nanoseconds by function, on the wall and on the processor."""

    def __init__(self) -> None:
        self.wall: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()

    def add(self, other: Truth) -> None:
        self.wall.update(other.wall)
        self.cpu.update(other.cpu)


def run(name: str, seconds: float, seed: int, around: Around) -> Truth:
    """Do the work for so many seconds."""
    workload = WORKLOADS[name]
    end = _now() + int(seconds * 1e9)
    truths = [Truth() for _ in range(workload.at_once)]
    chances = [random.Random(seed * 1000 + number) for number in range(workload.at_once)]

    def work(number: int) -> None:
        with around.thread():
            while _now() < end:
                with around.transaction(name):
                    for _ in range(workload.rounds):
                        once(workload.steps, chances[number], truths[number])

    async def serve(number: int) -> None:
        with around.task():
            while _now() < end:
                with around.transaction(name):
                    for _ in range(workload.rounds):
                        await once_async(workload.steps, chances[number], truths[number])

    async def serve_all() -> None:
        await asyncio.gather(*(serve(number) for number in range(workload.at_once)))

    if workload.tasks:
        with around.thread():
            asyncio.run(serve_all())
    elif workload.at_once == 1:
        work(0)
    else:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(workload.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    whole = Truth()
    for truth in truths:
        whole.add(truth)
    return whole


def once(steps: tuple[Step, ...], chance: random.Random, truth: Truth) -> None:
    """One round; no two are alike, so that no looking at fixed times keeps step with them."""
    for function, usual in steps:
        size = usual * chance.uniform(0.5, 1.5)
        began, spent = _now(), _cpu()
        function(size)
        truth.cpu[function.__name__] += _cpu() - spent
        truth.wall[function.__name__] += _now() - began


async def once_async(steps: tuple[Step, ...], chance: random.Random, truth: Truth) -> None:
    """One round in a task; what it awaits takes no processor time of its own."""
    for function, usual in steps:
        size = usual * chance.uniform(0.5, 1.5)
        began, spent = _now(), _cpu()
        if function is fetch:
            await fetch(size)
            truth.cpu["fetch"] += 0
        else:
            function(size)
            truth.cpu[function.__name__] += _cpu() - spent
        truth.wall[function.__name__] += _now() - began
