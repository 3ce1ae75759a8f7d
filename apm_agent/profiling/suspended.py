"""What is known of one suspended transaction from one look to the next, and whether it is ready to run."""

from __future__ import annotations

from math import inf
from typing import Any

from apm_agent.model.blocking import Held
from apm_agent.model.profile import WAITING, StackKey, Wait
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.awaited import Link, awaited

_MOST_WAITS = 1000
_MOST_STACKS = 5000
#: A loop whose clock is farther from ours than this keeps a time of its own.
_SAME_CLOCK_S = 600.0
_FINISHED = ("FINISHED", "CANCELLED", "CANCELLED_AND_NOTIFIED")


class Suspended:
    """An open transaction, as its last visit left it."""

    __slots__ = (
        "due", "holds", "key", "last_ns", "links", "look", "missed_ns", "ready", "root", "running_ns", "source",
        "torn_ns", "wait",
    )  # fmt: skip

    def __init__(self, last_ns: int, torn_ns: int) -> None:
        #: booked until then, but for what was booked as running since, or lost to torn looks
        self.last_ns = last_ns
        self.running_ns = 0
        self.torn_ns = torn_ns
        self.key: StackKey = ()
        self.links: tuple[Link, ...] = ()
        self.due: float | None = None
        self.source: Any = None
        self.wait: Wait | None = None
        #: how long it has waited, unseen since its last visit, for there were too many others; and the outermost
        #: coroutine of its task meanwhile
        self.missed_ns = 0
        self.root: StackKey = ()
        #: the number of the look that visited it last; who had the loop then, if it was ready
        self.look = 0
        self.ready: Held | None = None
        #: who had it at the looks in a row until then, and for how long, while it was not known to be ready
        self.holds: list[tuple[Held, int]] = []

    def miss(self, ns: int, root: StackKey) -> None:
        """It waited so long, and there was no time to see for what."""
        self.missed_ns += ns
        self.root = root
        self.links = ()

    def found(self) -> int:
        """It is visited: how long it has waited unseen."""
        ns, self.missed_ns = self.missed_ns, 0
        return ns

    def lose(self, transaction: Transaction) -> None:
        """It has ended unseen: that it waited is known, and inside which coroutine."""
        if self.root:
            self.key, self.wait = self.root, None
            book(transaction, self, self.last_ns, self.found())
        else:
            transaction.lost_samples += 1


def is_same(links: tuple[Link, ...]) -> bool:
    """Whether each of the tasks still awaits the same future, and so has not run meanwhile."""
    for task_ref, waiter_ref in links:
        if waiter_ref is None:
            return False
        waiter = waiter_ref()
        task = task_ref()
        if waiter is None or task is None or task._fut_waiter is not waiter:
            return False
    return bool(links)


def walk(known: Suspended, task: Any, loop: Any, clock: float) -> bool:
    """Find out what the task awaits; False where it goes on just now, or has nothing to show."""
    known.links = ()
    if task.done() or not hasattr(type(task), "_fut_waiter"):
        return False
    found = awaited(task)
    last = found.links[-1]
    if not found.key or (last.waiter is not None and not is_same(found.links)):
        return False
    known.links, known.due, known.source = found.links, found.due, found.source
    if found.due is not None and abs(loop.time() - clock) > _SAME_CLOCK_S:
        known.due = None
    if found.key != known.key:
        known.key, known.wait = found.key, None
    return True


def ready_since(known: Suspended, clock: float) -> float | None:
    """How long the transaction has been ready, infinite where that is not known; None while it is not."""
    for task_ref, waiter_ref in known.links:
        task = task_ref()
        waiter = waiter_ref() if waiter_ref is not None else None
        if task is None or waiter is None or waiter.done():
            return inf
    if known.due is not None:
        return clock - known.due if clock >= known.due else None
    # Not asked by `done()`, whose lock another thread may hold.
    return inf if known.source is not None and known.source._state in _FINISHED else None


def book(transaction: Transaction, known: Suspended, now: int, ns: int) -> None:
    if not ns:
        return
    wait = known.wait
    if wait is not None:
        wait.at_ns = now
        wait.weight_ns += ns
        return
    waits = transaction.waits
    if len(waits) < _MOST_WAITS:
        known.wait = Wait(now, ns, known.key)
        if waits:
            waits.append(known.wait)
        else:
            transaction.waits = [known.wait]
        return
    weights = transaction.weights
    if weights is None:
        weights = transaction.weights = {}
    place = (known.key, WAITING)
    if place in weights or len(weights) < _MOST_STACKS:
        weights[place] = weights.get(place, 0) + ns
    else:
        transaction.lost_samples += 1
