"""Looks with a held clock at a real event loop whose tasks take turns."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

from apm_agent.model.current import current
from apm_agent.model.profile import RUNNING, UNCERTAIN
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.look import Look

MS = 1_000_000


class Loop:
    """An event loop in a thread, with the task of one transaction, which computes while it is told to."""

    def __init__(self) -> None:
        self.transaction = Transaction("web", "GET /", 0)
        self.told, self.end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()))
        self.thread.start()

    async def serve(self) -> None:
        current.set(self.transaction)
        attribution.begin(self.transaction)
        while not self.end.is_set():
            await asyncio.sleep(0.001)
            if self.told.is_set():
                self.compute()
        attribution.end(self.transaction)

    def compute(self) -> None:
        while self.told.is_set():
            pass

    def is_computing(self) -> bool:
        frame = sys._current_frames().get(self.thread.ident or 0)
        return frame is not None and frame.f_code.co_name == "compute"


@pytest.mark.parametrize(("late_ms", "state"), [(0.9, RUNNING), (1.1, UNCERTAIN), (30.0, UNCERTAIN)])
def test_a_late_look_at_tasks_that_take_turns_is_marked(late_ms: float, state: int) -> None:
    """At its moment another task may have run, or the same one elsewhere."""
    now = 0
    loop, look = Loop(), Look(lambda: now)
    try:
        loop.told.set()
        while not loop.is_computing():
            time.sleep(0.001)
        now = 100 * MS
        look.look(waited=True, late_ns=int(late_ms * MS), planned_ns=10 * MS)
    finally:
        loop.told.clear()
        loop.end.set()
        loop.thread.join()
    [sample] = loop.transaction.samples
    assert sample.stack[0].co_name == "compute"
    assert sample.state == state
    assert look.uncertain_ns == (sample.weight_ns if state == UNCERTAIN else 0)
