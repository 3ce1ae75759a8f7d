"""With-blocks that are decorators too: `span` and `background_transaction`, for every kind of function."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, overload

from apm_agent.model.span import KINDS, Span
from apm_agent.model.transaction import USER, Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.around import around
from apm_agent.tracing.current import current_transaction

F = TypeVar("F", bound=Callable[..., Any])


class _Nowhere:
    """What `with span(...) as span` gives outside a transaction, so that `span.tag(...)` needs no check."""

    __slots__ = ()

    def tag(self, **tags: Any) -> None:
        """Do nothing: there is no transaction to tell."""


_nowhere = _Nowhere()


class SpanBlock:
    """One span around a with-block; as a decorator, one around each call of a function."""

    __slots__ = ("_kind", "_name", "_span", "_tags", "paused_ns")

    def __init__(self, name: str | None, kind: str, tags: dict[str, Any]) -> None:
        self._name = name
        self._kind = kind
        self._tags = tags
        self._span: Span | None = None
        self.paused_ns = 0

    def __call__(self, function: F) -> F:
        name, kind, tags = self._name or _name_of(function), self._kind, self._tags
        return around(lambda args, kwargs: SpanBlock(name, kind, tags), function)

    def __enter__(self) -> Span | _Nowhere:
        # One frame above is the block's user; this one is ours.
        span = self._span = tracing.open_span(self._kind, self._name or "block", False, 1)
        if span is None:
            return _nowhere
        if self._tags:
            span.tags = dict(self._tags)
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._span is not None:
            tracing.close_span(self._span, self.paused_ns)
            self._span = None


class TransactionBlock:
    """One background transaction around a with-block; as a decorator, one around each call of a function."""

    __slots__ = ("_name", "_span", "_transaction", "paused_ns")

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._span: Span | None = None
        self._transaction: Transaction | None = None
        self.paused_ns = 0

    def __call__(self, function: F) -> F:
        name = self._name or _name_of(function)
        return around(lambda args, kwargs: TransactionBlock(name), function)

    def __enter__(self) -> Transaction | Span | _Nowhere:
        name = self._name or "job"
        tracer = tracing.tracer
        if tracer is None:
            return _nowhere
        if current_transaction() is not None:
            self._span = tracing.open_span("code", name)
            return self._span or _nowhere
        self._transaction = tracer.begin("background", name)
        self._transaction.name_priority = USER
        return self._transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        span, transaction = self._span, self._transaction
        self._span = self._transaction = None
        if span is not None:
            tracing.close_span(span, self.paused_ns)
        tracer = tracing.tracer
        if transaction is not None and tracer is not None:
            # Closing a generator early is a way of finishing it, not a failure.
            tracer.end(transaction, None if kind is GeneratorExit else error)

    def __del__(self) -> None:
        # A signal's handler may raise before the first step of `__exit__`: nobody else would end it then, and all
        # that comes later in this thread would be taken for a part of it.
        if self._transaction is not None:
            self.__exit__(None, None, None)


@overload
def span(name: F, /) -> F: ...
@overload
def span(name: str | None = None, kind: str = "code", **tags: Any) -> SpanBlock: ...
def span(name: Any = None, kind: str = "code", **tags: Any) -> Any:
    """Time a part of the current transaction: ``with span("resize", width=640):`` or ``@span("resize")``.

    `kind` is one of ``db http template cache code wait queue``; other keywords become tags. Works on
    functions, coroutines, generators and async generators; bare ``@span`` takes the function's name. Outside
    a transaction it does nothing. Raises `ValueError` for another kind.
    """
    if callable(name):
        return SpanBlock(None, "code", {})(name)
    if kind not in KINDS:
        raise ValueError(f"span kind {kind!r} is not one of {', '.join(KINDS)}")
    return SpanBlock(name, kind, tags)


@overload
def background_transaction(name: F, /) -> F: ...
@overload
def background_transaction(name: str | None = None) -> TransactionBlock: ...
def background_transaction(name: Any = None) -> Any:
    """Make a job a transaction: ``@background_transaction("nightly")``, or the same as a with-block.

    Works on functions, coroutines, generators and async generators; bare ``@background_transaction`` takes
    the function's qualified name. Inside another transaction it is a span of that one, so no time counts
    twice.
    """
    if callable(name):
        return TransactionBlock(None)(name)
    return TransactionBlock(name)


def _name_of(function: Callable[..., Any]) -> str:
    return (
        f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}".lstrip(
            "."
        )
    )
