"""Measures the CPU time of a transaction's thread, where the thread works for it alone."""

from __future__ import annotations

from apm_agent.clock import Clock, system
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.attribution import alone, get_ident, loops, threads


class Cpu:
    """CPU time between begin and end; unknown on event loops and greenlets, and when it ended on another thread."""

    __slots__ = ("_now",)

    def __init__(self, clock: Clock = system) -> None:
        self._now = clock.cpu

    def start(self, transaction: Transaction) -> None:
        """Note the thread's CPU time, as a negative number while it runs: no object to make, and no mistaking it."""
        # Whoever put it at work on this thread, or on its event loop, has just asked the same, and noted the thread.
        work = threads.get(transaction.thread_id)
        if work is None or work[0] is not transaction:
            ident = get_ident()
            if ident in loops or not alone():
                return
            transaction.thread_id = ident
        transaction.cpu_ns = -self._now()

    def stop(self, transaction: Transaction) -> None:
        """Take the difference, if this is still the same thread."""
        before = transaction.cpu_ns
        if before is not None:
            transaction.cpu_ns = self._now() + before if transaction.thread_id == get_ident() else None
