"""grpc: a span a call that is waited for, of the synchronous client; what streams in later is not timed.

Not through its interceptors: those make another kind of channel out of the application's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing

_describing = contained("describing a span")
_telling = contained("telling a host its trace")
_METADATA = 2  # (request, timeout, metadata, …)


def call(wrapped: Callable[..., Any], method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``method(request, timeout=None, metadata=None, …)``, and the same `with_call`."""
    span = tracing.open_span("http", "grpc", True)
    if span is None:
        return wrapped(*args, **kwargs)
    try:
        with _describing:
            host = _text(method._target).rpartition("/")[2].lower()[:200]
            path = _text(method._method)
            span.name = f"grpc {host}"
            span.tag(url=f"grpc://{host}{path}")
        if propagation.active():
            with _telling:
                args, kwargs = _told(host, args, kwargs)
        result = wrapped(*args, **kwargs)
        span.tag(code="OK")
        return result
    except BaseException as error:
        span.tag(error=type(error).__name__)
        code = getattr(error, "code", None)  # an RpcError says why
        if callable(code):
            with _describing:
                span.tag(code=code().name)
        raise
    finally:
        tracing.close_span(span)


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


PATCHES = tuple(
    Returning(f"grpc._channel:_{kind}MultiCallable.{name}", call)
    for kind in ("UnaryUnary", "StreamUnary")
    for name in ("__call__", "with_call")
)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "grpc (synchronous client, calls with one answer)",
    "patch of the callables a channel gives; an interceptor would make another kind of channel",
    "method, host, status code; sends `traceparent` to hosts named. Streamed answers and futures are not "
    "timed",
    ("grpcio",),
)
