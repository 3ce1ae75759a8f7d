"""grpc's asyncio client: a span a call, from its start until it is done, whoever awaits it and when.

What a call gives back is grpc's own object, watched by the callback it offers. Of a stream the span is the time that
was waited for its messages. Not through interceptors: those make another kind of call out of the application's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from weakref import WeakKeyDictionary

from apm_agent.instruments.fetching import read_async
from apm_agent.instruments.grpc_calls import Streamed, begin, describing, host_of, reading, streaming, streams
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current

#: Channel → host; a channel tells it to nobody once it is open.
_hosts: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def channel(wrapped: Callable[..., Any], opened: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Channel(target, …)``."""
    result = wrapped(*args, **kwargs)
    with describing:
        _hosts[opened] = host_of(args[0] if args else kwargs["target"])
    return result


def call(wrapped: Callable[..., Any], method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``method(request, …)`` with one answer: it runs from now on, and is awaited some time."""
    before = current.get()
    span = tracing.open_span("http", "grpc")  # no leaf: interceptors run below, and what makes the requests
    if span is None:
        return wrapped(*args, **kwargs)
    try:
        args, kwargs = begin(span, _host, method, args, kwargs)
        started = wrapped(*args, **kwargs)
        started.add_done_callback(_Ending(span))
        return started
    except BaseException as error:
        span.tag(error=type(error).__name__)
        tracing.close_span(span)
        raise
    finally:
        current.set(before)  # what follows is not below it


def _host(method: Any) -> str:
    return _hosts.get(method._references[0], "")


def _watch(started: Any, streamed: Streamed) -> None:
    started.add_done_callback(_StreamEnding(streamed))


stream = streaming(_host, leaf=False, watch=_watch)


async def read(wrapped: Callable[..., Awaitable[Any]], streaming: Any, args: Any, kwargs: Any) -> Any:
    """Waiting for a stream's next message, by ``read()`` or by iterating."""
    streamed = streams.get(streaming)
    if streamed is None:
        return await wrapped(*args, **kwargs)
    return await read_async(streamed, _one, wrapped, *args, **kwargs)


def _one(message: Any) -> int:
    return type(message).__name__ != "_EOF"


class _Ending:
    """Closes the span of a call; keeps nothing of it then, for the call may be kept for long."""

    __slots__ = ("span",)

    def __init__(self, span: Span) -> None:
        self.span: Span | None = span

    def __call__(self, done: Any) -> None:
        span, self.span = self.span, None
        if span is None:
            return
        with reading:
            span.tag(**_ended(done))
        tracing.close_span(span)


class _StreamEnding:
    """Says how a stream ended."""

    __slots__ = ("streamed",)

    def __init__(self, streamed: Streamed) -> None:
        self.streamed = streamed

    def __call__(self, done: Any) -> None:
        with reading:
            found = _ended(done)
            self.streamed.code = found.get("code")
            self.streamed.error = found.get("error") or self.streamed.error


def _ended(done: Any) -> dict[str, str]:
    if done.cancelled():
        return {"error": "CancelledError", "code": "CANCELLED"}
    code = _now(done.code())
    if code is None:
        return {"error": "AioRpcError"}
    return {"code": code.name} if code.name == "OK" else {"error": "AioRpcError", "code": code.name}


def _now(asked: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that has nothing to wait for, or None."""
    try:
        asked.send(None)
    except StopIteration as done:
        return done.value
    finally:
        asked.close()
    return None


PATCHES = (
    Returning("grpc.aio._channel:Channel.__init__", channel),
    Returning("grpc.aio._channel:UnaryUnaryMultiCallable.__call__", call),
    Returning("grpc.aio._channel:StreamUnaryMultiCallable.__call__", call),
    Returning("grpc.aio._channel:UnaryStreamMultiCallable.__call__", stream),
    Returning("grpc.aio._channel:StreamStreamMultiCallable.__call__", stream),
    Returning("grpc.aio._call:_StreamResponseMixin._read", read),
)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "grpc (asyncio client)",
    "patch of the callables a channel gives and the calls' own done callback; of waiting for a stream's next message",
    "method, host, status code; of a stream how long was waited for its messages, for the first, and how many came "
    "(not under an interceptor); sends `traceparent` to hosts named. Channels made before the agent started have no "
    "host",
    ("grpcio",),
)
