"""Records the transactions of one test in memory, by an agent of its own or beside the one that is on."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apm_agent.clock import system
from apm_agent.config import PREFIX, Config
from apm_agent.errors import InstallError
from apm_agent.insights import INSIGHTS
from apm_agent.instruments import patching
from apm_agent.model.current import current
from apm_agent.model.origin import Origin
from apm_agent.model.record import Record
from apm_agent.model.transaction import Transaction
from apm_agent.recording.digest import Digest
from apm_agent.testing.doors import DOORS, PIECE
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.tracer import Profiler, Tracer

_ENABLED = f"{PREFIX}ENABLED"
_STATM = "/proc/self/statm"


class Watch:
    """What was begun while it watched, in that order."""

    def __init__(self) -> None:
        self._begun: list[Transaction] = []
        #: copies: the agent's own writer takes the spans out of what it has written
        self._ended: dict[Transaction, Transaction] = {}
        self._records: dict[Transaction, Record] = {}
        self._digest = Digest(Config(), Origin(), INSIGHTS)
        self.tracer: Tracer | None = None

    def start(self, transaction: Transaction) -> None:
        """As a profiler: a transaction begins."""
        self._begun.append(transaction)

    def stop(self, transaction: Transaction) -> None:
        """As a profiler: it ends, and may be ignored yet."""

    def keep(self, transaction: Transaction) -> None:
        """As a sink: it has ended and is not ignored."""
        self._ended[transaction] = copy.copy(transaction)

    @property
    def mark(self) -> int:
        """Where the list of what was begun ends now; for `records`."""
        return len(self._begun)

    def records(self, since: int = 0) -> list[Record]:
        """Those that ended, and those that answered while nobody has read their answer to its end yet."""
        if tracing.tracer is not self.tracer:
            raise InstallError(
                "apm-agent was installed or uninstalled during this test, so the fixture `apm` saw only a part of it. "
                "Leave `enabled=True` out of install(), or install before the test."
            )
        found = []
        for transaction in self._begun[since:]:
            if transaction in self._ended:
                found.append(self._record(transaction))
            elif not transaction.ended and transaction.status is not None:
                found.append(self._so_far(transaction))
        return found

    def _record(self, transaction: Transaction) -> Record:
        known = self._records.get(transaction)
        if known is None:
            known = self._records[transaction] = self._digest.digest(self._ended[transaction])
        return known

    def _so_far(self, transaction: Transaction) -> Record:
        unfinished = copy.copy(transaction)
        unfinished.end_ns = system.monotonic()
        return self._digest.digest(unfinished)

    @contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """A transaction around a piece of a test, for what it does outside of any request or job."""
        tracer, here = tracing.tracer, current.get()
        if tracer is None or here is not None:
            yield
            return
        transaction = tracer.begin("background", name, {PIECE: True})
        try:
            yield
        finally:
            if not any(span.statement is not None for span in transaction.spans):
                transaction.ignored = True  # all it did was to make requests, each a transaction of its own
            tracer.end(transaction)


class Resident:
    """Resident memory before and after each transaction; opens its file each time, and so leaves none open."""

    def __init__(self) -> None:
        self._page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

    def start(self, transaction: Transaction) -> None:
        """Note it before."""
        transaction.rss_before = self.now()

    def stop(self, transaction: Transaction) -> None:
        """Note it after."""
        transaction.rss_after = self.now()

    def now(self) -> int | None:
        """Resident bytes of this process; None where the system does not say."""
        try:
            with open(_STATM, "rb") as file:
                return int(file.read().split(b" ", 2)[1]) * self._page
        except (OSError, ValueError, IndexError):
            return None


@contextmanager
def recording() -> Iterator[Watch]:
    """Record until the end of the block, and leave everything as it was.

    Where no agent is on, libraries are instrumented for so long, and one that the application would install itself
    stays off. Where one is on, it goes on as it does, and is listened to.
    """
    watch = Watch()
    with _listening(watch) if tracing.tracer is not None else _alone(watch):
        yield watch


@contextmanager
def _listening(watch: Watch) -> Iterator[None]:
    tracer: Any = tracing.tracer
    sink, profilers = tracer.sink, tracer.profilers

    def both(transaction: Transaction) -> None:
        watch.keep(transaction)
        sink(transaction)

    watch.tracer = tracer
    take_out = patching.place(DOORS)
    tracer.sink = both
    tracer.use((*profilers, watch))
    try:
        yield
    finally:
        take_out()
        tracer.sink = sink
        tracer.use(tuple(each for each in tracer.profilers if each is not watch))


@contextmanager
def _alone(watch: Watch) -> Iterator[None]:
    before = os.environ.get(_ENABLED)
    os.environ[_ENABLED] = "off"
    profilers: tuple[Profiler, ...] = (watch, Resident())
    tracer = watch.tracer = Tracer(watch.keep, profilers, system, Config().max_spans)
    take_out = patching.place(DOORS)
    try:
        patching.apply()
        tracing.tracer = tracer
        yield
    finally:
        take_out()
        if before is None:
            os.environ.pop(_ENABLED, None)
        else:
            os.environ[_ENABLED] = before
        if tracing.tracer is tracer:
            tracing.tracer = None
            patching.remove()
