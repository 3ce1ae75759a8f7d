"""Runs any kind of function inside a block: plain, coroutine, generator, async generator."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from types import FunctionType, MethodType, TracebackType
from typing import Any, Protocol, TypeVar, cast

from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current

F = TypeVar("F", bound=Callable[..., Any])

# Read from the code's flags: `inspect` would be half of this package's import time. The values are fixed by
# https://docs.python.org/3/library/inspect.html#code-objects-bit-flags
_GENERATOR, _COROUTINE, _AWAITABLE_GENERATOR, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200


class Block(Protocol):
    """A with-block of ours; `paused_ns` is set before it closes, for what ran with interruptions."""

    paused_ns: int

    def __enter__(self) -> Any: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def around(block: Callable[[tuple[Any, ...], dict[str, Any]], Block], function: F) -> F:
    """`function`, same kind, same signature; each call opens a block of its own, made from its arguments."""
    if is_coroutine(function):
        return cast(F, _coroutine(block, function))
    if _flags(function) & _ASYNC_GENERATOR:
        return cast(F, _async_generator(block, function))
    if _flags(function) & _GENERATOR:
        return cast(F, _generator(block, function))

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with block(args, kwargs):
            return function(*args, **kwargs)

    return cast(F, run)


def is_plain(function: Any) -> bool:
    """Whether a call runs all of it: no coroutine, no generator."""
    return not _flags(function) & (_GENERATOR | _COROUTINE | _AWAITABLE_GENERATOR | _ASYNC_GENERATOR)


def is_coroutine(function: Any) -> bool:
    """Whether a call gives something to await."""
    return bool(_flags(function) & (_COROUTINE | _AWAITABLE_GENERATOR))


def _flags(function: Any) -> int:
    while not isinstance(function, FunctionType):
        inner = function.__func__ if isinstance(function, MethodType) else getattr(function, "func", None)
        if inner is None:  # neither a bound method nor a functools.partial
            return getattr(getattr(function, "__code__", None), "co_flags", 0)
        function = inner
    # Python 3.12: inspect.markcoroutinefunction
    marked = _COROUTINE if hasattr(function, "_is_coroutine_marker") else 0
    return function.__code__.co_flags | marked


def _coroutine(block: Callable[..., Block], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with block(args, kwargs):
            return await function(*args, **kwargs)

    return run


# The two below are `yield from`, spelled out: who takes the items is not inside our block while it works on
# one, and for async generators Python has no `yield from`. What is sent, thrown or closed goes in.


def _generator(block: Callable[..., Block], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        opened = block(args, kwargs)
        turns = _Turns(opened)
        try:
            with opened:
                inner = function(*args, **kwargs)
                step, given = inner.send, None
                while True:
                    try:
                        value = step(given)
                    except StopIteration as stop:
                        return stop.value
                    turns.leave()
                    try:
                        given = yield value
                    except GeneratorExit:
                        turns.enter()
                        inner.close()
                        raise
                    except BaseException as error:
                        turns.enter()
                        step, given = inner.throw, error
                    else:
                        turns.enter()
                        step = inner.send
        finally:
            turns.end()

    return run


def _async_generator(block: Callable[..., Block], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        opened = block(args, kwargs)
        turns = _Turns(opened)
        try:
            with opened:
                inner = function(*args, **kwargs)
                step, given = inner.asend, None
                while True:
                    try:
                        value = await step(given)
                    except StopAsyncIteration:
                        return
                    turns.leave()
                    try:
                        given = yield value
                    except GeneratorExit:
                        turns.enter()
                        await inner.aclose()
                        raise
                    except BaseException as error:
                        turns.enter()
                        step, given = inner.athrow, error
                    else:
                        turns.enter()
                        step = inner.asend
        finally:
            turns.end()

    return run


class _Turns:
    """Two sides taking turns, a generator and its consumer: each finds its own span current when it goes on.

    Works from whatever thread, task or context asks for the next item, for nothing is ever `reset`.
    """

    __slots__ = ("block", "inside", "left_ns", "outside")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.outside = current.get()
        self.inside: Span | Transaction | None = None
        self.left_ns = 0

    def leave(self) -> None:
        self.inside = current.get()
        current.set(self.outside)
        self.left_ns = _now()

    def enter(self) -> None:
        self.outside = current.get()
        current.set(self.inside)
        now = _now()
        if now and self.left_ns:
            self.block.paused_ns += now - self.left_ns

    def end(self) -> None:
        current.set(self.outside)


def _now() -> int:
    return tracing.tracer.monotonic() if tracing.tracer is not None else 0
