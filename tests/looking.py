"""Real loops, looked at from another thread, and what was booked of their transactions' waits."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.keys import key_of
from apm_agent.profiling.waiting import Waiting
from apm_agent.tracing.tracer import Tracer

Turned = Callable[..., tuple[Tracer, list[Any]]]
MS = 1_000_000


class Looker:
    """A profiler that looks every few milliseconds from a thread of its own, and books waits alone."""

    def __init__(self, interval: float = 0.005) -> None:
        self.waiting = Waiting()
        self.interval = interval
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def start(self, transaction: Transaction) -> None:
        attribution.begin(transaction)

    def stop(self, transaction: Transaction) -> None:
        attribution.end(transaction)
        self.waiting.stop(transaction)

    def run(self) -> None:
        last = time.monotonic_ns()
        while not self.ended.wait(self.interval):
            frames = sys._current_frames()
            stacks = {ident: key_of(frames[ident]) for ident in attribution.idents() if ident in frames}
            self.waiting.take(stacks)
            del frames
            now = time.monotonic_ns()
            self.waiting.book(now, now - last, int(self.interval * 1e9))
            last = now


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    if request.param == "asyncio":
        return asyncio.run
    uvloop = pytest.importorskip("uvloop")
    return uvloop.run  # type: ignore[no-any-return]


@pytest.fixture
def looker() -> Iterator[Looker]:
    looker = Looker()
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # as the sampler has it while it awaits a look
    looker.thread.start()
    yield looker
    looker.ended.set()
    looker.thread.join()
    sys.setswitchinterval(before)


def functions(transaction: Transaction) -> Counter[str]:
    """Nanoseconds waited below each function."""
    found: Counter[str] = Counter()
    for wait in transaction.waits:
        for name in {code.co_name for code in wait.stack[::2]}:
            found[name] += wait.weight_ns
    return found


def waited(transaction: Transaction) -> int:
    return sum(wait.weight_ns for wait in transaction.waits)


def check_whole(transaction: Transaction, least: float = 0.8) -> None:
    """Nearly all of its time, and never more, was booked."""
    assert least * transaction.duration_ns < waited(transaction)
    assert waited(transaction) <= transaction.duration_ns + 20 * MS


async def fetch(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def slower(seconds: float) -> None:
    await asyncio.sleep(seconds)
