"""Makes what stands in for a patched callable: same kind, signature, type of result, and still picklable.

Plain Python functions are replaced by plain Python functions, which keeps what `inspect` says and costs less;
everything else (functions made in C, callables, descriptors) by wrapt's proxy.
"""

from __future__ import annotations

import functools
import inspect
import operator
import pkgutil
import sys
from collections.abc import Callable
from types import FunctionType, TracebackType
from typing import Any

import wrapt

from apm_agent.errors import contained
from apm_agent.instruments.rows import Passing, Returning, Timed
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.around import around, is_coroutine, is_plain


def stand_in(original: Any, row: Timed | Returning | Passing, in_class: bool) -> Any:
    """What to put in the place of `original`, the raw attribute of a class or module."""
    if isinstance(row, Returning):
        return Proxy(original, row.wrapper)
    if isinstance(row, Passing):
        return Proxy(original, _passing(row))
    if isinstance(original, staticmethod):
        return staticmethod(_timed(original.__func__, row, False))
    if isinstance(original, classmethod):
        return classmethod(_timed(original.__func__, row, True))
    if isinstance(original, FunctionType):
        return _timed(original, row, in_class)
    if callable(original):
        return Proxy(original, _timed_call(row))
    raise TypeError(f"{row.target} is of type {type(original).__name__}, not a function")


def _timed(function: Callable[..., Any], row: Timed, in_class: bool) -> Callable[..., Any]:
    def call_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        return _Call(row, args[0], args[1:], kwargs) if in_class and args else _Call(row, None, args, kwargs)

    replacement = _running(function, call_of)
    with contained(f"reading the signature of {row.target}"):
        # `__wrapped__` is enough for inspect.signature, but inspect.getfullargspec does not look there.
        replacement.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return replacement


def _running(function: Callable[..., Any], call_of: Callable[..., _Call]) -> Callable[..., Any]:
    if is_plain(function):

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with call_of(args, kwargs) as call:
                return call.finish(function(*args, **kwargs))

        return run
    if is_coroutine(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with call_of(args, kwargs) as call:
                return call.finish(await function(*args, **kwargs))

        return run_async
    return around(call_of, function)


def _timed_call(row: Timed) -> Callable[..., Any]:
    def run(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with _Call(row, instance, args, kwargs) as call:
            return call.finish(wrapped(*args, **kwargs))

    return run


class _Call:
    """The span around one call."""

    __slots__ = ("args", "instance", "kwargs", "paused_ns", "row", "span")

    def __init__(self, row: Timed, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.row = row
        self.instance = instance
        self.args = args
        self.kwargs = kwargs
        self.span: Span | None = None
        self.paused_ns = 0

    def __enter__(self) -> _Call:
        row = self.row
        span = self.span = tracing.open_span(row.kind, row.target, row.leaf)
        if span is not None and row.describe is not None:
            with _describing:
                row.describe(span, self.instance, self.args, self.kwargs)
        return self

    def finish(self, result: Any) -> Any:
        if self.span is not None and self.row.finish is not None:
            with _describing:
                self.row.finish(self.span, result)
        return result

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        span = self.span
        if span is None:
            return
        if kind is not None and kind is not GeneratorExit:  # closing a generator early is no error
            span.tag(error=kind.__name__)
        tracing.close_span(span, self.paused_ns)


_describing = contained("describing a span")
_wrapping = contained("passing a function on")


def _passing(row: Passing) -> Callable[..., Any]:
    position, wrap = row.position, row.wrap

    def run(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = args
        if len(args) > position:
            with _wrapping:
                given = (*args[:position], wrap(args[position]), *args[position + 1 :])
        return wrapped(*given, **kwargs)

    return run


# Typed in wrapt 2 only, and there as generic; we take both.
_FunctionWrapper: Any = wrapt.FunctionWrapper
_BoundFunctionWrapper: Any = wrapt.BoundFunctionWrapper


class _BoundProxy(_BoundFunctionWrapper):  # type: ignore[misc]
    """A method of an instance, as wrapt binds it; pickles as methods do: by instance and name."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return getattr, (self.__self__, self.__name__)


class Proxy(_FunctionWrapper):  # type: ignore[misc]
    """wrapt's function wrapper that pickles and copies as the function itself would: by its name."""

    __bound_function_wrapper__ = _BoundProxy

    def __reduce_ex__(self, protocol: Any) -> Any:
        module, name = self.__module__, self.__qualname__
        found = sys.modules.get(module)
        if found is not None and operator.attrgetter(name)(found) is self:
            return name
        # Not where it says it lives (sqlite3.connect is _sqlite3's). Whoever reads this needs no agent.
        return pkgutil.resolve_name, (f"{module}:{name}",)

    def __copy__(self) -> Proxy:
        return self

    def __deepcopy__(self, memo: Any) -> Proxy:
        return self
