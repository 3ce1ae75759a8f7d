"""With-blocks that are decorators too: `span` and `background_transaction`, for every kind of function."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any, TypeVar, cast, overload

from apm_agent.model.span import KINDS, Span
from apm_agent.model.transaction import USER, Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current_transaction

F = TypeVar("F", bound=Callable[..., Any])

# Read from the code's flags: `inspect` would be half of this package's import time. The values are fixed by
# https://docs.python.org/3/library/inspect.html#code-objects-bit-flags
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


class _Nowhere:
    """What `with span(...) as span` gives outside a transaction, so that `span.tag(...)` needs no check."""

    __slots__ = ()

    def tag(self, **tags: Any) -> None:
        """Do nothing: there is no transaction to tell."""


_nowhere = _Nowhere()


class SpanBlock:
    """One span around a with-block; as a decorator, one around each call of a function."""

    __slots__ = ("_kind", "_name", "_span", "_tags")

    def __init__(self, name: str | None, kind: str, tags: dict[str, Any]) -> None:
        self._name = name
        self._kind = kind
        self._tags = tags
        self._span: Span | None = None

    def __call__(self, function: F) -> F:
        name, kind, tags = self._name or _name_of(function), self._kind, self._tags
        return _decorate(lambda: SpanBlock(name, kind, tags), function)

    def __enter__(self) -> Span | _Nowhere:
        span = self._span = tracing.open_span(self._kind, self._name or "block")
        if span is None:
            return _nowhere
        if self._tags:
            span.tags = dict(self._tags)
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._span is not None:
            tracing.close_span(self._span)
            self._span = None


class TransactionBlock:
    """One background transaction around a with-block; as a decorator, one around each call of a function."""

    __slots__ = ("_name", "_span", "_transaction")

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._span: Span | None = None
        self._transaction: Transaction | None = None

    def __call__(self, function: F) -> F:
        name = self._name or _name_of(function)
        return _decorate(lambda: TransactionBlock(name), function)

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
            tracing.close_span(span)
        tracer = tracing.tracer
        if transaction is not None and tracer is not None:
            # Closing a generator early is a way of finishing it, not a failure.
            tracer.end(transaction, None if kind is GeneratorExit else error)


@overload
def span(name: F, /) -> F: ...
@overload
def span(name: str | None = None, kind: str = "code", **tags: Any) -> SpanBlock: ...
def span(name: Any = None, kind: str = "code", **tags: Any) -> Any:
    """Time a part of the current transaction: ``with span("resize", width=640) as s:`` or ``@span("resize")``.

    `kind` is one of ``db http template cache code wait queue``; other keywords become tags. Works on functions,
    coroutines, generators and async generators; bare ``@span`` takes the function's name. Outside a transaction
    it does nothing. Raises `ValueError` for another kind.
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
    """Make a job a transaction: ``@background_transaction("nightly")`` or ``with background_transaction("nightly"):``.

    Works on functions, coroutines, generators and async generators; bare ``@background_transaction`` takes the
    function's qualified name. Inside another transaction it is a span of that one, so no time counts twice.
    """
    if callable(name):
        return TransactionBlock(None)(name)
    return TransactionBlock(name)


def _decorate(block: Callable[[], SpanBlock | TransactionBlock], function: F) -> F:
    # Each call opens a block of its own, so one function may run many times at once.
    code = getattr(function, "__code__", None)
    flags = code.co_flags if code is not None else 0
    if flags & _COROUTINE:

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with block():
                return await function(*args, **kwargs)

        return cast(F, run_async)
    if flags & _ASYNC_GENERATOR:

        @functools.wraps(function)
        async def run_async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            with block():
                inner = function(*args, **kwargs)
                # `yield from` for async generators, which Python lacks: what is sent, thrown or closed goes in.
                step = inner.__anext__()
                while True:
                    try:
                        value = await step
                    except StopAsyncIteration:
                        return
                    try:
                        sent = yield value
                    except GeneratorExit:
                        await inner.aclose()
                        raise
                    except BaseException as error:
                        step = inner.athrow(error)
                    else:
                        step = inner.asend(sent)

        return cast(F, run_async_generator)
    if flags & _GENERATOR:

        @functools.wraps(function)
        def run_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with block():
                return (yield from function(*args, **kwargs))

        return cast(F, run_generator)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return cast(F, run)


def _name_of(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}".lstrip(".")
