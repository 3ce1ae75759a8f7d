"""With-blocks that are decorators too: `span` and `background_transaction`, for every kind of function."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from apm_agent.model.span import KINDS, Span
from apm_agent.model.transaction import USER, Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current_transaction

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class _Nowhere:
    """What `with span(...) as span` gives outside a transaction, so that `span.tag(...)` needs no check."""

    __slots__ = ()

    def tag(self, **tags: Any) -> None:
        """Do nothing: there is no transaction to tell."""


_nowhere = _Nowhere()


def _decorate(block: Callable[[], AbstractContextManager[Any]], function: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with block():
                return await function(*args, **kwargs)

        return run_async
    if isasyncgenfunction(function):

        @functools.wraps(function)
        async def run_async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            inner = function(*args, **kwargs)
            with block():
                # `yield from` for async generators (PEP 525 has none): what is sent, thrown or closed goes in.
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

        return run_async_generator
    if isgeneratorfunction(function):

        @functools.wraps(function)
        def run_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with block():
                return (yield from function(*args, **kwargs))

        return run_generator

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return run


class span:  # noqa: N801  (a verb: with span("resize"))
    """Time a part of the current transaction: ``with span("resize", width=640) as s:`` or ``@span("resize")``.

    `kind` is one of ``db http template cache code wait queue``; other keywords become tags. Bare ``@span`` takes
    the function's name. Outside a transaction it does nothing.
    """

    __slots__ = ("_given", "_span")

    @overload
    def __new__(cls, name: Callable[P, R], /) -> Callable[P, R]: ...  # type: ignore[misc]
    @overload
    def __new__(cls, name: str | None = None, kind: str = "code", **tags: Any) -> span: ...
    def __new__(cls, name: Any = None, kind: str = "code", **tags: Any) -> Any:
        block = object.__new__(cls)
        if callable(name):
            block._given = (_name_of(name), "code", {})
            block._span = None
            return block(name)
        if kind not in KINDS:
            raise ValueError(f"span kind {kind!r} is not one of {', '.join(KINDS)}")
        block._given = (name, kind, tags)
        block._span = None
        return block

    def __call__(self, function: F) -> F:
        name, kind, tags = self._given
        given = (name or _name_of(function), kind, tags)
        return cast(F, _decorate(lambda: _open_block(given), function))

    def __enter__(self) -> Span | _Nowhere:
        name, kind, tags = self._given
        opened = tracing.open_span(kind, name or "block")
        if opened is None:
            return _nowhere
        if tags:
            opened.tags = dict(tags)
        self._span = opened
        return opened

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened = self._span
        if opened is not None:
            self._span = None
            tracing.close_span(opened)


def _open_block(given: tuple[Any, str, dict[str, Any]]) -> span:
    block: span = object.__new__(span)
    block._given = given
    block._span = None
    return block


class background_transaction:  # noqa: N801
    """Make a job a transaction: ``@background_transaction("nightly")`` or ``with background_transaction("nightly"):``.

    Works on functions, coroutines, generators and async generators; bare ``@background_transaction`` takes the
    function's qualified name. Inside another transaction it is a span of that one, so no time counts twice.
    """

    __slots__ = ("_name", "_open")

    @overload
    def __new__(cls, name: Callable[P, R], /) -> Callable[P, R]: ...  # type: ignore[misc]
    @overload
    def __new__(cls, name: str | None = None) -> background_transaction: ...
    def __new__(cls, name: Any = None) -> Any:
        if callable(name):
            return _new_job(_name_of(name))(name)
        return _new_job(name)

    def __call__(self, function: F) -> F:
        name = self._name or _name_of(function)
        return cast(F, _decorate(lambda: _new_job(name), function))

    def __enter__(self) -> Transaction | Span | _Nowhere:
        name = self._name or "job"
        active = tracing.tracer
        if active is None:
            return _nowhere
        if current_transaction() is not None:
            inner = tracing.open_span("code", name)
            self._open = inner
            return inner or _nowhere
        transaction = active.begin("background", name)
        transaction.name_priority = USER
        self._open = transaction
        return transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened, self._open = self._open, None
        if isinstance(opened, Span):
            tracing.close_span(opened)
        elif opened is not None and tracing.tracer is not None:
            # Closing a generator early is a way of finishing it, not a failure.
            tracing.tracer.end(opened, None if kind is GeneratorExit else error)


def _new_job(name: str | None) -> background_transaction:
    block: background_transaction = object.__new__(background_transaction)
    block._name = name
    block._open = None
    return block


def _name_of(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}".lstrip(".")
