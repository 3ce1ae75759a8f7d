"""Begins, ends, opens and closes: the hot path, one function each."""

from __future__ import annotations

from collections.abc import Callable
from sys import exc_info
from typing import Any, Protocol

from apm_agent.clock import Clock, system
from apm_agent.errors import contained
from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import failure as failures
from apm_agent.tracing.caller import place_of_caller
from apm_agent.tracing.current import current, transaction_of

Sink = Callable[[Transaction], None]


class Profiler(Protocol):
    """Watches a transaction from begin to end."""

    def start(self, transaction: Transaction) -> None: ...
    def stop(self, transaction: Transaction) -> None: ...


_beginning = contained("beginning a transaction")
_ending = contained("ending a transaction")
_handing = contained("handing a transaction on")
_MOST_LINES = 100


class Tracer:
    """Begins and ends transactions and hands the finished ones to its sink."""

    __slots__ = ("max_spans", "monotonic", "profilers", "sink", "starters", "stoppers")

    def __init__(
        self, sink: Sink, profilers: tuple[Profiler, ...] = (), clock: Clock = system, max_spans: int = 2000
    ) -> None:
        self.sink = sink
        self.use(profilers)
        self.monotonic = clock.monotonic
        self.max_spans = max_spans

    def use(self, profilers: tuple[Profiler, ...]) -> None:
        """Tell these of every transaction from now on."""
        self.profilers = profilers
        self.starters = tuple(profiler.start for profiler in profilers)
        # Last started is first stopped, so that each measures only the application inside it.
        self.stoppers = tuple(profiler.stop for profiler in reversed(profilers))

    def begin(
        self,
        kind: str,
        name: str,
        notes: dict[Any, Any] | None = None,
        method: str | None = None,
        path: str | None = None,
    ) -> Transaction:
        """Open a transaction and make it current. The caller must `end` it on every way out.

        `notes` are wishes for the profilers, like ``{"cprofile": True}``; `method` and `path` are all they can know of
        a request while its name is not known.
        """
        transaction = Transaction(kind, name, self.monotonic(), notes, method, path)
        left = iter(self.starters)
        try:
            current.set(transaction)
            for start in left:
                start(transaction)
        except BaseException as raised:
            theirs = _beginning.go_on(raised, left, transaction)
            if theirs is not None:
                self.end(transaction)  # nobody has it to end it
                raise theirs  # noqa: B904  (as it came, with no cause of ours)
        return transaction

    def end(self, transaction: Transaction, error: BaseException | None = None, whole: bool = False) -> None:
        """Close a transaction, once; a second call does nothing. Raises nothing of its own.

        `whole`: nothing of its answer has left yet, so the first byte leaves now.
        """
        if transaction.ended:
            return
        now = transaction.end_ns = self.monotonic()
        transaction.ended = True
        left = iter(self.stoppers)
        try:
            if whole:
                transaction.first_byte_ns = now - transaction.start_ns
            try:
                for stop in left:
                    stop(transaction)
            except BaseException as raised:
                theirs = _ending.go_on(raised, left, transaction)
                if theirs is not None:
                    raise theirs  # noqa: B904  (as it came, with no cause of ours)
            if error is not None and transaction.failure is None:
                with _ending:
                    transaction.failure = failures.describe(error)
        finally:  # also when a signal's handler raises just now
            here = current.get()
            if here is transaction or (here is not None and transaction_of(here) is None):
                current.set(None)
            if not transaction.ignored:
                try:
                    self.sink(transaction)
                except BaseException as raised:
                    if not _handing.holds(raised):
                        raise


tracer: Tracer | None = None
"""The process's tracer; None while the agent is off. Read as `tracing.tracer.tracer` at call time."""


def open_span(kind: str, name: str, leaf: bool = False, skip: int = 0) -> Span | None:
    """Open a span under the current one; None outside a transaction, under a leaf, or past the limit.

    `skip` is how many frames above the caller cannot be the application's, which saves looking at them.
    Past the limit the span is still timed and summed by kind and name, so nothing goes uncounted.
    """
    here = current.get()
    if here is None:
        return None
    parent: Span | None = None
    if isinstance(here, Transaction):
        transaction = here
    else:
        transaction, parent = here.transaction, here
        # What was closed from another task or out of order may still be current here; its parent takes over.
        while parent is not None and parent.end_ns:
            parent = parent.parent
        if parent is not None and parent.leaf:
            return None
    active = tracer
    if active is None or transaction.ended:
        return None
    span = Span(transaction, parent, kind, name, active.monotonic())
    if leaf:
        span.leaf = True
    spans = transaction.spans
    if len(spans) < active.max_spans:
        spans.append(span)
        span.place = place_of_caller(skip)
    else:
        span.lost = True
    current.set(span)
    return span


def close_span(span: Span, paused_ns: int = 0) -> None:
    """Close a span and make its innermost open ancestor current again; a second call does nothing.

    `paused_ns` is time it was open but suspended (a generator between two items): no part of its duration.
    """
    if span.end_ns:
        return
    transaction = span.transaction
    if transaction.ended:
        # Nothing may keep a transaction that has ended in memory.
        if current.get() is span:
            current.set(None)
        return
    active = tracer
    if active is not None:
        span.end_ns = active.monotonic() - paused_ns
        if span.lost:
            _sum_up(transaction, span)
    if current.get() is span:
        parent = span.parent
        while parent is not None and parent.end_ns:
            parent = parent.parent
        current.set(parent or transaction)


def _sum_up(transaction: Transaction, span: Span) -> None:
    overflow = transaction.overflow
    if overflow is None:
        overflow = transaction.overflow = {}
    entry = overflow.get((span.kind, span.name))
    if entry is None:
        # Names may be as many as the spans; what comes after the first hundred shares one line a kind.
        name = span.name if len(overflow) < _MOST_LINES else "(other)"
        entry = overflow.setdefault((span.kind, name), [0, 0])
    entry[0] += 1
    entry[1] += span.end_ns - span.start_ns


def capture_exception(error: BaseException | None = None) -> None:
    """Note a handled exception as the failure of the current transaction; the first one stays."""
    transaction = transaction_of(current.get())
    error = error or exc_info()[1]
    if transaction is None or error is None or transaction.failure is not None:
        return
    with _ending:
        transaction.failure = failures.describe(error)
