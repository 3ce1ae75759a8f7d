"""Makes what stands in for a patched callable: same kind, signature, type of result, and still picklable.

Python functions are replaced by Python functions of their kind, which keeps what `inspect` says and costs
least; everything else (functions made in C, callables, descriptors) by an object that passes for it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, TracebackType
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Passing, Patch, Replaced, Returning, Timed, Wrapper
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.around import around, is_coroutine, is_plain


def stand_in(original: Any, row: Patch, in_class: bool) -> Any:
    """What to put in the place of `original`, the raw attribute of a class or module."""
    if isinstance(original, staticmethod):
        return staticmethod(stand_in(original.__func__, row, False))
    if isinstance(original, classmethod):
        return classmethod(stand_in(original.__func__, row, True))
    if isinstance(original, FunctionType):
        if isinstance(row, Replaced):
            function: Any = functools.wraps(original)(row.make(original))
        elif isinstance(row, Timed):
            function = _timed(original, row, in_class)
        else:
            function = _wrapped(original, row, in_class)
        # `__wrapped__` is enough for inspect.signature, but inspect.getfullargspec does not look there.
        function.__signature__ = inspect.signature(original)
        return function
    if not isinstance(row, Replaced) and (callable(original) or hasattr(original, "__get__")):
        return _double(original, _timing(row) if isinstance(row, Timed) else _wrapper(row))
    raise TypeError(f"{row.target} is of type {type(original).__name__}, not a function")


def _timed(function: Callable[..., Any], row: Timed, in_class: bool) -> Callable[..., Any]:
    def call_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        return _Call(row, args[0], args[1:], kwargs) if in_class and args else _Call(row, None, args, kwargs)

    if is_plain(function):
        return _timed_plain(function, row, in_class)
    if is_coroutine(function):
        return _timed_coroutine(function, row, in_class)
    return around(call_of, function)


def _timed_plain(function: Callable[..., Any], row: Timed, in_class: bool) -> Callable[..., Any]:
    # What `_Call` does, without one: this is the way of nearly every span.
    kind, leaf, describe, finish = row.kind, row.leaf, row.describe, row.finish
    name = row.target if row.name is None else row.name
    skip = row.inside + 1  # and ours

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        span = tracing.open_span(kind, name, leaf, skip)
        if span is None:
            return function(*args, **kwargs)
        try:
            instance, given = (args[0], args[1:]) if in_class and args else (None, args)
            if describe is not None:
                with _describing:
                    describe(span, instance, given, kwargs)
            result = function(*args, **kwargs)
            if finish is not None:
                with _describing:
                    finish(span, result, given)
            return result
        except BaseException as error:
            span.tag(error=type(error).__name__)
            raise
        finally:
            tracing.close_span(span)

    return run


def _timed_coroutine(function: Callable[..., Any], row: Timed, in_class: bool) -> Callable[..., Any]:
    # The same with `await`; written again, because asking which of the two it is would cost each call.
    kind, leaf, describe, finish = row.kind, row.leaf, row.describe, row.finish
    name = row.target if row.name is None else row.name
    skip = row.inside + 1

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        span = tracing.open_span(kind, name, leaf, skip)
        if span is None:
            return await function(*args, **kwargs)
        try:
            instance, given = (args[0], args[1:]) if in_class and args else (None, args)
            if describe is not None:
                with _describing:
                    describe(span, instance, given, kwargs)
            result = await function(*args, **kwargs)
            if finish is not None:
                with _describing:
                    finish(span, result, given)
            return result
        except BaseException as error:
            if not isinstance(error, GeneratorExit):  # what is closed before its end is no error
                span.tag(error=type(error).__name__)
            raise
        finally:
            tracing.close_span(span)

    return run


def _wrapped(function: Any, row: Returning | Passing, in_class: bool) -> Callable[..., Any]:
    wrapper = _wrapper(row)

    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if in_class and args:
            return wrapper(function.__get__(args[0]), args[0], args[1:], kwargs)
        return wrapper(function, None, args, kwargs)

    if is_plain(function):

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            return call(args, kwargs)

        return run
    if is_coroutine(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            return await call(args, kwargs)

        return run_async
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def run_generator(*args: Any, **kwargs: Any) -> Any:
            return (yield from call(args, kwargs))

        return run_generator
    raise TypeError(f"{row.target} is an async generator function; only Timed can stand in for one")


#: Does a call inside of its span: ``inside(span, wrapped, instance, args, kwargs)`` returns what the caller gets.
Inside = Callable[[Span, Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]


def within(  # noqa: PLR0917
    span: Span,
    inside: Inside,
    wrapped: Callable[..., Any],
    instance: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """What `inside` does; the open span is told what it raises, and is closed however it ends.

    For instruments that open their span themselves. Of a coroutine function only the call is within. It takes just
    these arguments, because any would cost four times as much.
    """
    try:
        return inside(span, wrapped, instance, args, kwargs)
    except BaseException as error:
        span.tag(error=type(error).__name__)
        raise
    finally:
        tracing.close_span(span)


def _timing(row: Timed) -> Wrapper:
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
        span = self.span = tracing.open_span(row.kind, row.target if row.name is None else row.name, row.leaf)
        if span is not None and row.describe is not None:
            with _describing:
                row.describe(span, self.instance, self.args, self.kwargs)
        return self

    def finish(self, result: Any) -> Any:
        if self.span is not None and self.row.finish is not None:
            with _describing:
                self.row.finish(self.span, result, self.args)
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


def _wrapper(row: Returning | Passing) -> Wrapper:
    if isinstance(row, Returning):
        return row.wrapper
    position, wrap = row.position, row.wrap

    def run(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = args
        if len(args) > position:
            with _wrapping:
                given = (*args[:position], wrap(args[position]), *args[position + 1 :])
        return wrapped(*given, **kwargs)

    return run


def _double(original: Any, wrapper: Wrapper) -> Double:
    # Functions made in C do not bind, other descriptors do.
    return (_BindingDouble if hasattr(type(original), "__get__") else Double)(original, wrapper)


class Double:
    """Passes for a callable that is no Python function: same class, attributes, pickle and copies."""

    def __init__(self, original: Any, wrapper: Wrapper, instance: Any = None) -> None:
        functools.update_wrapper(self, original, updated=())
        self.__wrapped__ = original
        self._apm_agent = wrapper, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        wrapper, instance = self._apm_agent
        return wrapper(self.__wrapped__, instance, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        instance = self._apm_agent[1]
        if instance is not None:
            return getattr, (instance, self.__name__)
        # By its name; not by where it lies: sqlite3.connect is _sqlite3's. Whoever reads this needs no agent.
        name = getattr(self, "__qualname__", "")
        if not name:
            return self.__wrapped__.__reduce_ex__(protocol)
        from pkgutil import resolve_name  # rarely pickled, and Python itself does without

        return resolve_name, (f"{self.__module__}:{name}",)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class _BindingDouble(Double):
    """One for a descriptor, such as a method of a class made in C."""

    def __get__(self, instance: Any, owner: Any = None) -> Double:
        bound = self.__wrapped__.__get__(instance, owner)
        # Asked of the class, a method made in C is the descriptor itself.
        return self if bound is self.__wrapped__ else Double(bound, self._apm_agent[0], instance)
