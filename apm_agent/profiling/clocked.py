"""Hands out the processor time of threads to samples: yappi's other clock, by stack.

Looks choose *where*, each thread's own clock *how much*. A sample that finds its thread computing, or is held to be
computing, gets what the thread has used since its last such sample; one that waits gets none, and what the thread
used meanwhile is kept for its next one of the same transaction. So the samples of a transaction sum up to what its
thread's clock says up to the last of them that computes. What comes after that one has no sample and is dropped.

The first look at a transaction is worth a whole interval, also if it began less than that ago (see `look`). What its
thread used since it began then stands for the interval too.

A thread whose tasks take turns is told apart no further: what it used while no transaction ran at a look goes to the
next that does, but never more than that sample is worth.

Not known (None) is what a thread used where its clock cannot be asked, and at the first look at a thread that was lent
to a transaction, for nothing says what its clock was then.
"""

from __future__ import annotations

from collections.abc import Container

from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution

_MOST_THREADS = 1000


class _Thread:
    __slots__ = ("clock", "first", "left", "owner")

    def __init__(self, clock: int) -> None:
        self.clock = clock
        #: what no sample has been given yet; None: not known
        self.left: int | None = None
        #: what a sample gets that computes at the first look
        self.first: int | None = None
        #: id of the transaction it was last seen at work for; 0: one whose tasks take turns
        self.owner = 0


class Clocked:
    """By thread, what its clock said and what of it no sample has."""

    __slots__ = ("_threads",)

    def __init__(self) -> None:
        self._threads: dict[int, _Thread] = {}

    def begin(self, looked_at: Container[int]) -> None:
        """A look begins: what threads used that nobody looks at any more is dropped."""
        threads = self._threads
        if len(threads) > _MOST_THREADS:
            threads.clear()
        for ident, thread in threads.items():
            if ident not in looked_at:
                thread.owner, thread.left = -1, 0

    def work(self, transaction: Transaction, ident: int, clock: int, now: int, weight: int) -> None:
        """The clock of a thread at work for a transaction, whose sample is worth `weight`."""
        thread = self._threads.get(ident)
        if thread is None:
            thread = self._threads[ident] = _Thread(clock)
        used, thread.clock, thread.first = max(0, clock - thread.clock), clock, None
        owner, begun = transaction.id, transaction.cpu_ns
        if attribution.is_shared(ident):
            if thread.owner == -1:  # nobody looked meanwhile
                used = min(used, weight)
            owner = 0
            if thread.left is not None:
                thread.left += used
        elif thread.owner == owner:
            if thread.left is not None:
                thread.left += used
        # Negative while the transaction is open on the thread it began on: what the clock said then.
        elif begun is not None and begun < 0 and transaction.thread_id == ident and not transaction.samples:
            ran = now - transaction.start_ns
            used = thread.left = max(0, clock + begun)
            thread.first = min(weight, used * weight // ran) if 0 < ran < weight else None
        else:
            thread.left = None
        thread.owner = owner

    def idle(self, ident: int, clock: int | None) -> None:
        """The clock of a thread that was looked at, and worked for no transaction."""
        thread = self._threads.get(ident)
        if clock is None:
            self._threads.pop(ident, None)
        elif thread is None:
            thread = self._threads[ident] = _Thread(clock)
            thread.left = 0
        else:
            if thread.left is not None:
                thread.left += max(0, clock - thread.clock)
            thread.clock = clock

    def computes(self, ident: int, weight: int) -> int | None:
        """What a sample gets that finds its thread computing, or is held to."""
        thread = self._threads.get(ident)
        if thread is None:
            return None
        given = thread.left
        thread.left = 0
        if given is None:
            return None
        if thread.first is not None:
            given = thread.first
        elif thread.owner == 0 and given > weight:
            thread.left, given = given - weight, weight
        return given

    def waits(self, ident: int) -> int | None:
        """What a sample gets that finds its thread waiting."""
        thread = self._threads.get(ident)
        if thread is None:
            return None
        if thread.left is None:
            thread.left = 0
            return None
        return 0
