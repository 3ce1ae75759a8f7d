"""grpc's synchronous client: a span a call, and of a stream the time that was waited for its messages.

Not through its interceptors: those make another kind of channel out of the application's own. What a call gives back
stays what it was; a stream is watched where it waits for its next message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from apm_agent.clock import system
from apm_agent.errors import contained
from apm_agent.instruments.grpc_stream import Streamed, reading
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing

_describing = contained("describing a span")
_telling = contained("telling a host its trace")
_METADATA = 2  # (request, timeout, metadata, …)
#: What a call gave that streams → how its messages came.
_streams: WeakKeyDictionary[Any, Streamed] = WeakKeyDictionary()


def call(wrapped: Callable[..., Any], method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``method(request, timeout=None, metadata=None, …)``, and the same `with_call`."""
    span = tracing.open_span("http", "grpc", True)
    if span is None:
        return wrapped(*args, **kwargs)
    try:
        args, kwargs = _begin(span, method, args, kwargs)
        result = wrapped(*args, **kwargs)
        span.tag(code="OK")
        return result
    except BaseException as error:
        span.tag(error=type(error).__name__)
        code = code_of(error)
        if code is not None:
            span.tag(code=code)
        raise
    finally:
        tracing.close_span(span)


def stream(wrapped: Callable[..., Any], method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The same of a method whose answers stream: it returns before any has come."""
    span = tracing.open_span("http", "grpc", True)
    if span is None:
        return wrapped(*args, **kwargs)
    try:
        args, kwargs = _begin(span, method, args, kwargs)
        result = wrapped(*args, **kwargs)
        with _describing:
            span.fetched = _streams[result] = Streamed()
        return result
    except BaseException as error:
        span.tag(error=type(error).__name__)
        raise
    finally:
        tracing.close_span(span)


def following(wrapped: Callable[..., Any], streaming: Any, args: Any, kwargs: Any) -> Any:
    """``next(call)`` of what streams."""
    streamed = _streams.get(streaming)
    if streamed is None:
        return wrapped(*args, **kwargs)
    started = system.monotonic()
    try:
        message = wrapped(*args, **kwargs)
    except StopIteration:
        streamed.came(started, False)
        streamed.code = "OK"
        raise
    except BaseException as error:
        streamed.failed(started, error)
        streamed.code = code_of(error)
        raise
    streamed.came(started, True)
    return message


def code_of(error: BaseException) -> str | None:
    """An RpcError says why."""
    code = getattr(error, "code", None)
    if callable(code):
        with reading:
            return str(code().name)
    return None


def _begin(
    span: Span, method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    with _describing:
        host = host_of(method._target)
        describe(span, host, method._method)
        if propagation.active():
            with _telling:
                return _told(host, args, kwargs)
    return args, kwargs


def host_of(target: bytes | str) -> str:
    """Of ``dns:///host:port``; of a Unix socket its path's last part."""
    return _text(target).rpartition("/")[2].lower()[:200]


def describe(span: Span, host: str, method: bytes | str) -> None:
    """Name the span by its host, and keep the method; an empty host is one not known."""
    span.name = f"grpc {host}" if host else "grpc"
    span.tag(url=f"grpc://{host}{_text(method)}")


def _told(host: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    header = propagation.header_for(host.rpartition(":")[0] or host)
    given = args[_METADATA] if len(args) > _METADATA else kwargs.get("metadata")
    # An iterator of pairs can be read only once, so what was read goes on.
    pairs = tuple(given or ())
    if header is not None and all(key != propagation.HEADER for key, _ in pairs):
        pairs = (*pairs, (propagation.HEADER, header))
    if len(args) > _METADATA:
        return (*args[:_METADATA], pairs, *args[_METADATA + 1 :]), kwargs
    return args, ({**kwargs, "metadata": pairs} if pairs else kwargs)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


PATCHES = (
    *(
        Returning(f"grpc._channel:_{kind}MultiCallable.{name}", call)
        for kind in ("UnaryUnary", "StreamUnary")
        for name in ("__call__", "with_call")
    ),
    Returning("grpc._channel:_UnaryStreamMultiCallable.__call__", stream),
    Returning("grpc._channel:_SingleThreadedUnaryStreamMultiCallable.__call__", stream),
    Returning("grpc._channel:_StreamStreamMultiCallable.__call__", stream),
    Returning("grpc._channel:_MultiThreadedRendezvous._next", following),
    Returning("grpc._channel:_SingleThreadedRendezvous._next", following),
)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "grpc (synchronous client)",
    "patch of the callables a channel gives, and of waiting for a stream's next message; an interceptor would make "
    "another kind of channel",
    "method, host, status code; of a stream how long was waited for its messages, for the first, and how many came; "
    "sends `traceparent` to hosts named. Futures are not timed",
    ("grpcio",),
)
