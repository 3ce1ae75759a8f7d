"""What the jobs of all libraries have in common: who enqueued them and when, how they begin and end."""

from __future__ import annotations

import functools
import re
from datetime import datetime, timezone
from typing import Any

from apm_agent import agent
from apm_agent.clock import system
from apm_agent.errors import contained
from apm_agent.model.scrub import scrub_text
from apm_agent.model.span import Span
from apm_agent.model.transaction import ROUTE, Transaction
from apm_agent.tracing import failure as failures
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current_transaction
from apm_agent.tracing.identity import identity_of
from apm_agent.tracing.tracer import Tracer

#: Where a message carries its ticket, in whatever place its library has for what others add.
KEY = "apm_agent"

#: What a message says: when it was enqueued (wall ns) and, where there was one, by which transaction.
_TICKET = re.compile(r"at=([0-9]{1,19})(?: by=([0-9a-f]{16}))?", re.ASCII)
_SECOND = 10**9
#: Clocks of two machines differ by so much without anybody's fault.
_SKEW = _SECOND
#: Nothing waits longer: such a time is a mistake.
_LONGEST_WAIT = 90 * 86400 * _SECOND

beginning = contained("beginning a job")
ending = contained("ending a job")
enqueueing = contained("telling a job who enqueued it")
_flushing = contained("writing as a worker ends")


class Job:
    """One run of a job: a transaction, or a span where it runs inside of one and so is part of that."""

    __slots__ = ("active", "span", "transaction")

    def __init__(self, active: Tracer, transaction: Transaction | None, span: Span | None) -> None:
        self.active = active
        self.transaction = transaction
        self.span = span

    def note(self, **context: Any) -> None:
        """Add to what is known of it; what is None or empty is left out."""
        known = {key: value for key, value in context.items() if value not in (None, "")}
        if self.transaction is not None:
            self.transaction.context = {**(self.transaction.context or {}), **known}
        elif self.span is not None:
            self.span.tag(**known)

    def fail(self, error: BaseException | None) -> None:
        """It failed for this reason; the first one stays."""
        transaction = self.transaction
        if transaction is not None and error is not None and transaction.failure is None:
            transaction.failure = failures.describe(error)
        elif self.span is not None and error is not None:
            self.span.tag(error=type(error).__name__)

    def retry(self, reason: Any = None) -> None:
        """It will be tried again, which is no failure; the reason, or what it failed with, is kept beside it."""
        transaction = self.transaction
        text = (
            f"{type(reason).__name__}: {reason}" if isinstance(reason, BaseException) else str(reason or "")
        )
        if transaction is not None and transaction.failure is not None:
            failed = transaction.failure
            text = text or f"{failed.type}: {failed.message}"
            transaction.failure = None
        self.note(outcome="retry", reason=scrub_text(text))

    def drop(self) -> None:
        """It did not run at all."""
        if self.transaction is not None:
            self.transaction.ignored = True

    def end(self, error: BaseException | None = None) -> None:
        """It is over, once."""
        if error is not None:
            self.fail(error)
        if self.span is not None:
            tracing.close_span(self.span)
        if self.transaction is not None:
            self.active.end(self.transaction)


def begin(
    name: str, ticket: Any = None, *, enqueued: int | None = None, due: int | None = None, **context: Any
) -> Job | None:
    """Begin a job; None while the agent is off.

    `ticket` is what its message carries of ours, `enqueued` when its library says it was enqueued and `due` when
    it was to start (wall ns): its wait is counted from the last of these. `context` is kept with it.
    """
    active = tracing.tracer
    if active is None:
        return None
    if current_transaction() is not None:
        job = Job(active, None, tracing.open_span("code", name))
        job.note(**context)
        return job
    at, by = read(ticket)
    transaction = active.begin("background", name)
    transaction.name_priority = ROUTE
    transaction.queue_ns = waited(at if at is not None else enqueued, due)
    job = Job(active, transaction, None)
    job.note(**context, enqueued_by=by)
    return job


def killed(
    name: str,
    lasted: int,
    error: BaseException | None,
    ticket: Any = None,
    *,
    due: int | None = None,
    **context: Any,
) -> None:
    """Record a job whose process was killed `lasted` ns after it began, in the process that saw it die."""
    active = tracing.tracer
    if active is None:
        return
    at, by = read(ticket)
    now = active.monotonic()
    # Not begun and ended: no profiler of this process has anything to say of it.
    transaction = Transaction("background", name, now - lasted)
    transaction.name_priority = ROUTE
    transaction.queue_ns = waited(at, due, system.wall() - lasted)
    transaction.end_ns, transaction.ended = now, True
    job = Job(active, transaction, None)
    job.note(**context, enqueued_by=by)
    job.fail(error)
    active.sink(transaction)


def ticket(before: Any = None) -> str:
    """What a message being enqueued is to carry: the time, and the transaction this code runs in.

    Outside of one it keeps who enqueued it `before`: a worker moves on what was delayed.
    """
    here = current_transaction()
    by = read(before)[1] if here is None else f"{identity_of(here):016x}"
    return f"at={system.wall()} by={by}" if by else f"at={system.wall()}"


def read(text: Any) -> tuple[int | None, str | None]:
    """When and by whom, of a ticket; two times None of anything else."""
    match = _TICKET.fullmatch(text) if isinstance(text, str) and len(text) < 60 else None
    return (int(match[1]), match[2]) if match is not None else (None, None)


def name_of(function: Any) -> str:
    """What a job is called of which only the function is known; never an address, which is another each time."""
    while isinstance(function, functools.partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None)  # methods of objects made in C have none
    return f"{module}.{named.__qualname__}" if module else str(named.__qualname__)


def waited(enqueued: int | None, due: int | None = None, now: int | None = None) -> int | None:
    """How long it could have run already; None when that is not known."""
    known = [at for at in (enqueued, due) if at is not None]
    if not known:
        return None
    wait = (system.wall() if now is None else now) - max(known)
    return max(0, wait) if -_SKEW <= wait <= _LONGEST_WAIT else None


def wall_ns(moment: Any) -> int | None:
    """A time as libraries keep it (datetime, ISO text, seconds) in wall ns; naive ones are UTC."""
    if isinstance(moment, (int, float)):
        return int(moment * _SECOND)
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
        except ValueError:
            return None
    if not isinstance(moment, datetime):
        return None
    known = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    return int(known.timestamp() * _SECOND)


def flush() -> None:
    """Write what waits, in a process that is about to end."""
    with _flushing:
        agent.flush()


def prepare_to_fork() -> None:
    """Load what writing needs, in a process that will never write itself but whose children all do."""
    with _flushing:
        from apm_agent.store import sqlite  # noqa: F401
