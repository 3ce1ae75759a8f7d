"""Books what suspended transactions wait for, and who held their event loop while they were ready to run.

At a look every open transaction of a loop, or of a greenlet, that nothing runs for is *waiting*: the time since it
was last visited is a wait in the stack of what it awaits. As long as it awaits the same future the stack is not walked
again and its wait only grows. Of many, a share is visited at each look in turn; a visit is worth the time since the
one before, less what was booked on it as running. What ends before its turn comes has waited all the same: it shows as
a wait of the coroutine its task was made of, for how far into others it had come nobody has seen.

A transaction is *ready* when what it awaits has come and its task only has not been run yet. Known for certain is:

- its future is done, or it awaits nothing at all (`sleep(0)`, a task just spawned);
- the timer of its `asyncio.sleep` has gone off; then it is known since when;
- the worker thread of its `run_in_executor` or `to_thread` has finished.

That time is charged to it as blocked by whatever runs on the loop's thread: from when it was ready, where that is
known, and until the culprit ended, if it did; otherwise half of the time between the two looks. What came in on a
socket meanwhile cannot be known from outside: the loop asks for it only when it is free again. So the time a
transaction awaited anything else while one task held the loop over two looks or more is charged as *maybe*, and only
if it had gone on at the very next look. A request that arrives while the loop is held has no transaction yet; its wait
is part of its queue time, where the server in front tells it. Which threads wanted the GIL while another had it cannot
be seen, so nobody is charged for that.

Greenlets have no futures: theirs are waits only. trio tells no other thread which of its tasks runs, so none are told
of it.
"""

from __future__ import annotations

import time
from math import inf
from typing import Any, NamedTuple

from apm_agent.errors import contained
from apm_agent.model.blocking import Culprit, Held, charge
from apm_agent.model.profile import StackKey
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.awaited import root_of
from apm_agent.profiling.keys import key_of
from apm_agent.profiling.suspended import Suspended, book, is_same, ready_since, walk

#: Suspended transactions visited at one look, and how long stacks may be walked in it.
_MOST_VISITED = 128
_WALKING_NS = 60_000
#: As many are walked in any case: the first, after a pause, finds nothing in the processor's caches and takes it all.
_LEAST_WALKED = 4
#: The same while one task keeps the loop from look to look: who waits for it must be found before it lets go.
_WALKING_HELD_NS = 500_000
_MOST_GREENLETS = 16
_MOST_HOLDS = 200
#: Where an event loop's thread stands between two callbacks. uvloop has no frames of its own: its callers' show.
_IDLE = (
    "/selectors.py", "/asyncio/base_events.py", "/asyncio/events.py", "/asyncio/runners.py",
    "/asyncio/windows_events.py", "/asyncio/unix_events.py", "/asyncio/selector_events.py", "/uvloop/__init__.py",
    "/uvicorn/server.py", "/uvicorn/_compat.py", "/hypercorn/asyncio/run.py", "/threading.py",
)  # fmt: skip

_reading = contained("reading what a task awaits")


class _Thread(NamedTuple):
    """A loop as a look found it: its thread, the task that ran, and the stack."""

    ident: int
    here: attribution.Loop
    task: Any
    stack: StackKey


class Waiting:
    """`take` in the look, `book` right after it; `stop` on the transaction's own thread when it has ended."""

    __slots__ = (
        "_busy", "_greenlet_turn", "_held", "_looks", "_open", "_threads", "_torn_ns", "_turn", "_turns",
    )  # fmt: skip

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start from nothing, as a forked child does."""
        self._open: dict[Transaction, Suspended] = {}
        self._threads: list[_Thread] = []
        self._busy: dict[Transaction, None] = {}
        #: thread → who had it at the last look
        self._held: dict[int, Held] = {}
        self._looks = self._turn = self._greenlet_turn = self._torn_ns = 0
        #: looks until every suspended transaction is visited
        self._turns = 1

    def stop(self, transaction: Transaction) -> None:
        """The transaction has ended."""
        known = self._open.pop(transaction, None)
        if known is not None:
            if known.ready is not None or known.holds:
                self._settle(transaction, known, transaction.end_ns)
            if known.missed_ns:
                known.lose(transaction)
        if transaction.blocking is not None:
            transaction.blocking.settle(transaction.end_ns)

    def take(self, stacks: dict[int, StackKey]) -> None:
        """Note who runs for whom on the threads whose stacks were taken."""
        self._threads = []
        if not attribution.loops and not attribution.greenlets:
            return
        self._busy = busy = dict.fromkeys(work[0] for work in list(attribution.threads.values()))
        for greenlet, (transaction, _, _) in list(attribution.greenlets.items()):
            if greenlet.gr_frame is None:
                busy[transaction] = None
        for ident, here in list(attribution.loops.items()):
            if ident in stacks:
                task = attribution.running_task(here.loop)
                runs = attribution.transaction_of_task(task)
                if runs is not None:
                    busy[runs] = None
                self._threads.append(_Thread(ident, here, task, stacks[ident]))

    def book(self, now: int, gap_ns: int, planned_ns: int, torn: bool = False) -> None:
        """Book the time since the last look, `gap_ns` ago, on all that wait.

        `torn`: the GIL was lost while looking, so who ran is not certain; then only what still awaits the same future
        is known to have waited.
        """
        threads, self._threads = self._threads, []
        if not threads and not attribution.greenlets:
            return
        self._looks += 1
        if torn:
            self._torn_ns += gap_ns
        else:
            for transaction in self._busy:
                self._run(transaction, now, gap_ns)
        for thread in threads:
            with _reading:
                self._book_loop(thread, now, gap_ns, planned_ns, torn)
        if attribution.greenlets:
            with _reading:
                self._book_greenlets(now, gap_ns, planned_ns, torn)
        self._busy = {}
        if len(self._open) > 1000 and self._looks % 100 == 0:
            for transaction in [each for each in list(self._open) if each.ended]:
                self._open.pop(transaction, None)

    def _run(self, transaction: Transaction, now: int, gap_ns: int) -> None:
        known = self._open.get(transaction)
        if known is None:
            if not transaction.ended:
                self._open[transaction] = Suspended(now, self._torn_ns)
            return
        if known.ready is not None or known.holds:
            self._settle(transaction, known, now)
        known.running_ns += gap_ns
        known.wait = None

    def _book_loop(self, thread: _Thread, now: int, gap_ns: int, planned_ns: int, torn: bool) -> None:
        opened = list(thread.here.open)
        count = len(opened)
        loop = thread.here.loop
        running = attribution.running_task(loop)
        held = None if torn or running is not thread.task else self._holder(thread, now - gap_ns)
        before = self._held.pop(thread.ident, None)
        if held is not None:
            self._held[thread.ident] = held
        again = held is not None and before is not None and held.culprit is before.culprit
        self._turns = turns = -(-count // _MOST_VISITED)
        begin = self._turn % count if count else 0
        end = begin + min(count, _MOST_VISITED)
        self._turn = end if turns > 1 else begin
        clock, busy = time.monotonic(), self._busy
        walked, until = 0, time.thread_time_ns() + (_WALKING_HELD_NS if again else _WALKING_NS)
        for at in range(begin, end):
            transaction = opened[at % count]
            if transaction in busy or transaction.ended:
                continue
            known = self._open.get(transaction)
            if known is None:
                known = self._meet(transaction, now, gap_ns * turns, planned_ns * turns)
            same = is_same(known.links)
            if same and held is None and known.wait is not None and not known.holds:
                known.ready = None  # as most do that wait: no more than this for them
                known.wait.at_ns = now
                known.wait.weight_ns += max(0, now - known.last_ns - known.running_ns)
                known.last_ns, known.running_ns, known.torn_ns = now, 0, self._torn_ns
                continue
            if not same:
                if known.ready is not None or known.holds:
                    self._settle(transaction, known, now)
                task_ref = thread.here.open.get(transaction)
                task = task_ref() if task_ref is not None else None
                if task is None or task is running or torn:
                    continue
                if not until:
                    known.miss(self._since(known, now, same), root_of(task))
                    continue
                if not walk(known, task, loop, clock):
                    continue
                walked += 1
                if walked >= _LEAST_WALKED and time.thread_time_ns() > until:
                    self._turn, until = at + 1, 0  # the next look begins behind it
            ns = self._since(known, now, same) + known.found()
            book(transaction, known, now, ns)
            self._judge(transaction, known, held, ns, clock)

    def _meet(self, transaction: Transaction, now: int, gap_ns: int, planned_ns: int) -> Suspended:
        # As with running ones: the first visit stands for a whole turn, for a shorter life is often missed.
        ago = min(gap_ns, max(planned_ns, now - transaction.start_ns))
        known = self._open[transaction] = Suspended(now - ago, self._torn_ns)
        return known

    def _since(self, known: Suspended, now: int, same: bool) -> int:
        ns = now - known.last_ns - known.running_ns
        if not same:
            ns -= self._torn_ns - known.torn_ns
        known.last_ns, known.running_ns, known.torn_ns = now, 0, self._torn_ns
        return max(0, ns)

    def _holder(self, thread: _Thread, last_ns: int) -> Held | None:
        """Who has the loop's thread: a task, or a callback if its stack goes beyond the loop's own frames."""
        stack = thread.stack
        if thread.task is None and (not stack or stack[0].co_filename.replace("\\", "/").endswith(_IDLE)):
            return None
        transaction = attribution.transaction_of_task(thread.task)
        before = self._held.get(thread.ident)
        culprit = None if transaction is None else transaction.blocking
        if before is not None and before.culprit.of(transaction):
            if before.stack == stack:
                return before
            if transaction is not None:
                last_ns = before.since_ns
        if culprit is None:
            culprit = Culprit(transaction)
            if transaction is not None:
                transaction.blocking = culprit
        if transaction is not None:
            last_ns = max(last_ns, transaction.start_ns)
        return Held(culprit, stack, last_ns)

    def _judge(
        self, transaction: Transaction, known: Suspended, held: Held | None, ns: int, clock: float
    ) -> None:
        """Charge the time since the last visit to who has the loop, if the transaction is ready to run."""
        before, known.look = known.look, self._looks
        if held is None:
            known.ready = None
            if known.holds:
                known.holds = []
            return
        # The first visit's share may reach back to before its begin.
        ns = min(ns, known.last_ns - transaction.start_ns)
        ready_s = ready_since(known, clock)
        if ready_s is not None:
            if known.holds:
                self._settle(transaction, known, known.last_ns)
            if known.ready is None:  # since when is known of timers alone
                ns = max(0, min(ns, known.last_ns - held.since_ns))
                ns = ns // 2 if ready_s == inf else min(ns, int(ready_s * 1e9))
            known.ready = held
            charge(transaction, held, ns)
            return
        known.ready = None
        if known.due is not None or known.source is not None:
            return  # it is known not to be ready
        holds = known.holds
        if holds and (before < self._looks - self._turns or holds[-1][0].culprit is not held.culprit):
            holds = known.holds = []
        if len(holds) < _MOST_HOLDS:
            holds.append((held, ns))

    def _settle(self, transaction: Transaction, known: Suspended, now: int) -> None:
        """The transaction went on, somewhere between its last visit and `now`."""
        ready, known.ready = known.ready, None
        holds, known.holds = known.holds, []
        if known.look < self._looks - self._turns:
            return
        if ready is not None:
            end = ready.culprit.end_ns
            left = max(0, now - known.last_ns)
            charge(transaction, ready, min(left, end - known.last_ns) if end > known.last_ns else left // 2)
        elif len(holds) > 1:  # one look proves no hold worth the name
            for held, ns in holds:
                charge(transaction, held, 0, ns)

    def _book_greenlets(self, now: int, gap_ns: int, planned_ns: int, torn: bool) -> None:
        entries = list(attribution.greenlets.items())
        count = len(entries)
        turns = -(-count // _MOST_GREENLETS)
        begin = self._greenlet_turn % count if count else 0
        self._greenlet_turn = begin + min(count, _MOST_GREENLETS)
        for at in range(begin, self._greenlet_turn):
            greenlet, (transaction, _, _) = entries[at % count]
            frame = greenlet.gr_frame
            if frame is None or transaction in self._busy or transaction.ended or torn:
                continue
            known = self._open.get(transaction)
            if known is None:
                known = self._meet(transaction, now, gap_ns * turns, planned_ns * turns)
            key = key_of(frame)
            if key != known.key:
                known.key, known.wait = key, None
            book(transaction, known, now, self._since(known, now, False))
