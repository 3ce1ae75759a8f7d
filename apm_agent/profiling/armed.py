"""Measures the next n transactions of one endpoint when somebody asks for it, in every process at once.

What is armed lies as files beside the store (`model.arm`). The writer's thread looks whether they changed, once a
second while there is traffic; while nothing is armed this profiler is not among those that are told of transactions,
so it costs them nothing.

A transaction is measured when it may be of that endpoint (`seen`); as it ends its name is known, and the result is
kept if the name is right and one of the n slots can be taken (`slots`). So exactly n are kept however many processes
measure, and what is measured in vain leaves no trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from os import getpid
from typing import Any, NamedTuple, Protocol

from apm_agent.clock import Clock, system
from apm_agent.errors import contained
from apm_agent.model.arm import Arm
from apm_agent.model.transaction import CAPTURED, Transaction
from apm_agent.profiling import attribution
from apm_agent.profiling.attribution import alone, get_ident
from apm_agent.profiling.native import original, refusal
from apm_agent.profiling.seen import Seen
from apm_agent.profiling.slots import Slots

_LOOK_EACH_NS = 900_000_000
#: What is counted of an arm when a result was kept.
KEPT = "kept"
_SHARED = "another transaction was open on its event loop"
_looking = contained("looking for what is armed")


class Capture(Protocol):
    """One way of measuring a transaction on demand; begins and ends on the thread that runs it."""

    def prepare(self, arm: Arm) -> str:
        """Load what it takes, on our own thread, when it is armed; else why it cannot be measured here."""
        ...

    def begin(self, transaction: Transaction, arm: Arm) -> str:
        """Measure from here on; else why it cannot be. No other transaction shares the thread."""
        ...

    def end(self, transaction: Transaction, keep: bool) -> str:
        """Measure no more and lay the result on the transaction, or throw it away; else why there is none."""
        ...

    def over(self) -> None:
        """Nothing is armed any more: put back what `prepare` changed."""
        ...

    def relieve(self) -> None:
        """Take off the calling thread what was left there by a transaction that ended on another one."""
        ...

    @property
    def idle(self) -> bool:
        """Nothing of it is at work on any thread."""
        ...


class _Live(NamedTuple):
    arm: Arm
    deadline_ns: int


class _Running(NamedTuple):
    transaction: Transaction
    arm: Arm
    ident: int


class Armed:
    """`switch(True)` when transactions are to be told of here, `switch(False)` when no more."""

    def __init__(
        self,
        folder: str,
        service: Callable[[], str],
        captures: Mapping[str, Callable[[], Capture]],
        switch: Callable[[bool], None],
        clock: Clock = system,
    ) -> None:
        self._folder = folder
        self._service = service
        self._makers = captures
        self._captures: Mapping[str, Capture] = {}
        self._switch = switch
        self._monotonic = clock.monotonic
        self._on = False
        self.after_fork()

    def after_fork(self) -> None:
        """In the child nothing is measured, and what is armed is read anew."""
        if self._on:
            self._switch(False)
        self._pid = getpid()
        self._slots = Slots(self._folder)
        self._lock: Any = original("_thread", "allocate_lock")()
        self._live: tuple[_Live, ...] = ()
        self._prepared: dict[str, str] = {}
        self._running: _Running | None = None
        self._spoiled = False
        self._open: dict[Transaction, int] = {}
        self._seen = Seen()
        self._due_ns = 0
        self._on = False
        #: arm → what happened: `KEPT`, or why a transaction of it went unmeasured → how often
        self.counts: dict[str, dict[str, int]] = {}

    def look(self) -> None:
        """See what is armed now; called often by a thread of ours, does something once a second."""
        now = self._monotonic()
        if now < self._due_ns:
            return
        self._due_ns = now + _LOOK_EACH_NS
        if getpid() != self._pid:  # a server that forks in C runs no fork hooks
            self.after_fork()
        with _looking:
            if self._slots.changed():
                self._take_up(self._slots.read(), now)
            elif self._live:
                self._live = tuple(live for live in self._live if live.deadline_ns > now)
            self._turn()

    def start(self, transaction: Transaction) -> None:
        """Measure this one if it may be of an endpoint that is armed, and nothing else is measured."""
        ident = get_ident()
        for capture in self._captures.values():
            capture.relieve()
        running = self._running
        if running is not None and running.ident == ident and not running.transaction.ended:
            self._spoiled = self._spoiled or not alone()
        for live in self._live:
            if live.deadline_ns > transaction.start_ns and self._seen.may_be(live.arm, transaction):
                why = self._begin(live.arm, transaction, ident)
                if why:
                    self._count(live.arm, why)
                break
        self._open[transaction] = ident

    def stop(self, transaction: Transaction) -> None:
        """Keep the result if this one was measured and is what was asked for."""
        if self._open.pop(transaction, None) is None:
            return  # it began before anything was armed
        self._seen.learn(transaction)
        running = self._running
        if running is None or running.transaction is not transaction:
            return
        try:
            self._end(running)
        finally:
            self._running = None
            self._lock.release()

    def stats(self) -> list[dict[str, Any]]:
        """What the pages show: which arms are taken up here, and what became of each."""
        live = dict.fromkeys(each.arm.id for each in self._live)
        counts = {arm_id: dict(each) for arm_id, each in list(self.counts.items())}
        return [
            {"id": arm_id, "live": arm_id in live, "counts": counts.get(arm_id, {})}
            for arm_id in live | counts
        ]

    def _take_up(self, found: list[tuple[Arm, int]], now: int) -> None:
        live = []
        for arm, _ in found:
            if arm.service not in ("", self._service()):
                continue
            if arm.id not in self._prepared:
                self._prepared[arm.id] = refusal() or self._made(arm.capture).prepare(arm)
                if self._prepared[arm.id]:
                    self._count(arm, self._prepared[arm.id])
            if not self._prepared[arm.id]:
                live.append(_Live(arm, now + int((arm.until - time.time()) * 1e9)))
        self._live = tuple(live)

    def _made(self, name: str) -> Capture:
        if name not in self._captures:  # a new mapping, for threads of the application read this one
            self._captures = {**self._captures, name: self._makers[name]()}
        return self._captures[name]

    def _turn(self) -> None:
        """On when something is armed; off when nothing is and nothing of ours is at work any more."""
        if self._live:
            if not self._on:
                self._on = True
                self._switch(True)
        elif self._on and self._lock.acquire(False):  # else one is being measured: the next look
            try:
                if all(capture.idle for capture in self._captures.values()):
                    self._turn_off()
            finally:
                self._lock.release()

    def _turn_off(self) -> None:
        self._on = False  # whoever is about to begin finds the lock taken, or this
        self._switch(False)
        self._prepared = {}
        self._open, self._seen = {}, Seen()
        for capture in self._captures.values():
            capture.over()

    def _begin(self, arm: Arm, transaction: Transaction, ident: int) -> str:
        if not alone() and self._is_shared(transaction, ident):
            return _SHARED
        if not self._lock.acquire(False):
            return "another transaction is being measured"
        why = "it failed"
        try:
            why = self._captures[arm.capture].begin(transaction, arm) if self._on else "it is over"
            if not why:
                self._spoiled = False
                self._running = _Running(transaction, arm, ident)
        finally:
            if why:
                self._lock.release()
        return why

    def _is_shared(self, transaction: Transaction, ident: int) -> bool:
        """Whether an event loop or hub that runs this thread has another transaction open."""
        if any(thread == ident and not other.ended for other, thread in list(self._open.items())):
            return True
        loop = attribution.loops.get(ident)
        if loop is not None and any(other is not transaction for other in list(loop.open)):
            return True
        return any(
            thread == ident and other is not transaction
            for other, _, thread in list(attribution.greenlets.values())
        )

    def _end(self, running: _Running) -> None:
        transaction, arm = running.transaction, running.arm
        capture = self._captures[arm.capture]
        wanted = transaction.name == arm.endpoint and not transaction.ignored
        if not wanted or self._spoiled:
            capture.end(transaction, False)
            if wanted:
                self._count(arm, _SHARED)
            return
        slot = self._slots.take(arm)
        if not slot:
            capture.end(transaction, False)
            self._live = tuple(live for live in self._live if live.arm.id != arm.id)
            return
        why = "it failed"
        try:
            why = capture.end(transaction, True)
        finally:
            if why:
                self._slots.give_back(slot)
            else:
                transaction.notes = {**(transaction.notes or {}), CAPTURED: (arm.capture, arm.id)}
            self._count(arm, why or KEPT)

    def _count(self, arm: Arm, what: str) -> None:
        if len(self.counts) > 100:
            self.counts.clear()
        counts = self.counts.setdefault(arm.id, {})
        counts[what] = counts.get(what, 0) + 1
