"""`profile_lines`: exact hits and times of each line of a function, for every transaction that calls it."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

from apm_agent.errors import ConfigError, contained
from apm_agent.model.current import current, transaction_of
from apm_agent.model.transaction import LINES, Transaction
from apm_agent.profiling.linetimer import CURE, Timer, add, installed

F = TypeVar("F", bound=Callable[..., Any])

# https://docs.python.org/3/library/inspect.html#code-objects-bit-flags
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200
_timing = contained("timing lines")

#: what was decorated, and the code each must run with once a timer has seen it
_functions: list[FunctionType] = []
_codes: dict[FunctionType, CodeType] = {}
#: timers nobody is using; as many as ever ran at once
_free: list[Timer] = []
_watching = False


def profile_lines(function: F) -> F:
    """See `apm_agent.profile_lines`."""
    if not isinstance(function, FunctionType):
        raise ConfigError(f"profile_lines takes functions written in Python, not {function!r}")
    if not installed():
        raise ConfigError(f"profile_lines: {CURE}")
    _functions.append(function)
    if _watching:
        watch()
    return cast(F, _around(function))


def watch() -> None:
    """Load what timing takes, if anything is decorated: as the agent starts, not inside the first request."""
    global _watching
    _watching = True
    if _functions and not _free:
        with _timing:
            _free.append(_brought_up(Timer()))


def _around(function: FunctionType) -> Callable[..., Any]:
    flags = function.__code__.co_flags
    if flags & _COROUTINE:

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            return await _Steps(_transaction(), function(*args, **kwargs))

        return run_async
    if flags & _ASYNC_GENERATOR:

        @functools.wraps(function)
        async def iterate_async(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            inner, transaction = function(*args, **kwargs), _transaction()
            step, given = inner.asend, None
            while True:
                try:
                    value = await _Steps(transaction, step(given))
                except StopAsyncIteration:
                    return
                try:
                    given = yield value
                except GeneratorExit:
                    await _Steps(transaction, inner.aclose())
                    raise
                except BaseException as error:
                    step, given = inner.athrow, error
                else:
                    step = inner.asend

        return iterate_async
    if flags & _GENERATOR:

        @functools.wraps(function)
        def iterate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            return (yield from _steps(_transaction(), function(*args, **kwargs)))

        return iterate

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        timer = _begin(_transaction())
        if timer is None:
            return function(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        finally:
            _end(timer)

    return run


class _Steps:
    """Awaits something and times each of its steps: between them the thread works for others."""

    __slots__ = ("inner", "transaction")

    def __init__(self, transaction: Transaction | None, inner: Awaitable[Any]) -> None:
        self.transaction = transaction
        self.inner = inner

    def __await__(self) -> Generator[Any, Any, Any]:
        return _steps(self.transaction, self.inner.__await__())


def _steps(transaction: Transaction | None, inner: Any) -> Generator[Any, Any, Any]:
    """`yield from`, spelled out, so that only what runs inside is timed."""
    if transaction is None:
        return (yield from inner)
    step, given = _next(inner), None
    while True:
        timer = _begin(transaction)
        try:
            value = step(given)
        except StopIteration as stop:
            return stop.value
        finally:
            if timer is not None:
                _end(timer)
        try:
            given = yield value
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as error:
            step, given = inner.throw, error
        else:
            step = _next(inner)


def _next(inner: Any) -> Callable[[Any], Any]:
    send = getattr(inner, "send", None)
    return send if send is not None else lambda given: next(inner)


def _transaction() -> Transaction | None:
    return transaction_of(current.get()) if _watching else None


class _Running:
    """A timer at work for a transaction."""

    __slots__ = ("timer", "transaction")

    def __init__(self, timer: Timer, transaction: Transaction) -> None:
        self.timer = timer
        self.transaction = transaction


def _begin(transaction: Transaction | None) -> _Running | None:
    """Time this thread; None outside a transaction, or where it is traced already, by us or by a debugger."""
    if transaction is None:
        return None
    with _timing:
        timer = _brought_up(_free.pop() if _free else Timer())
        if not timer.on():
            return _Running(timer, transaction)
        _free.append(timer)
    return None


def _end(running: _Running) -> None:
    with _timing:
        running.timer.off()
        taken = running.timer.taken()
        transaction = running.transaction
        if not transaction.ended:
            if transaction.notes is None:
                transaction.notes = {}
            add(transaction.notes.setdefault(LINES, {}), taken)
        _free.append(running.timer)


def _brought_up(timer: Timer) -> Timer:
    """The timer, knowing all that was decorated so far."""
    for function in _functions:
        code = _codes.get(function)
        if code is None:
            code = _codes[function] = function.__code__ = timer.add(function)
        elif not timer.knows(code):
            timer.add(function)
    return timer
