"""grpc's synchronous client: a span a call, and of a stream the time that was waited for its messages.

Not through its interceptors: those make another kind of channel out of the application's own. What a call gives back
stays what it was; a stream is watched where it waits for its next message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.clock import system
from apm_agent.instruments.grpc_calls import begin, host_of, reading, streaming, streams
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.instruments.wrapping import within
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing


def call(wrapped: Callable[..., Any], method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``method(request, timeout=None, metadata=None, …)``, and the same `with_call`."""
    span = tracing.open_span("http", "grpc", True)
    if span is None:
        return wrapped(*args, **kwargs)
    return within(span, _call, wrapped, method, args, kwargs)


def _call(
    span: Span, wrapped: Callable[..., Any], method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    args, kwargs = begin(span, _host, method, args, kwargs)
    try:
        result = wrapped(*args, **kwargs)
    except Exception as error:
        code = code_of(error)
        if code is not None:
            span.tag(code=code)
        raise
    span.tag(code="OK")
    return result


def following(wrapped: Callable[..., Any], streaming: Any, args: Any, kwargs: Any) -> Any:
    """``next(call)`` of what streams."""
    streamed = streams.get(streaming)
    if streamed is None:
        return wrapped(*args, **kwargs)
    started = system.monotonic()
    try:
        message = wrapped(*args, **kwargs)
    except StopIteration:
        streamed.took(system.monotonic() - started, 0)
        streamed.code = "OK"
        raise
    except BaseException as error:
        streamed.failed(system.monotonic() - started, error)
        streamed.code = code_of(error)
        raise
    streamed.took(system.monotonic() - started, 1)
    return message


def code_of(error: BaseException) -> str | None:
    """An RpcError says why."""
    code = getattr(error, "code", None)
    if callable(code):
        with reading:
            return str(code().name)
    return None


def _host(method: Any) -> str:
    target = getattr(method, "_target", None)
    return host_of(method._channel.target() if target is None else target)  # of old, the channel alone knows


stream = streaming(_host, leaf=True, watch=lambda result, streamed: None)

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
