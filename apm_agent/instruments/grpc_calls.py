"""What grpc's two clients share: what is said of a call, the trace it takes along, and how its messages came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from apm_agent.errors import contained
from apm_agent.instruments.fetching import Asked
from apm_agent.instruments.rows import Wrapper
from apm_agent.instruments.wrapping import within
from apm_agent.model.span import Span
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing

describing = contained("describing a span")
reading = contained("reading how a call of grpc ended")
_telling = contained("telling a host its trace")
_METADATA = 2  # (request, timeout, metadata, …)


class Streamed(Asked):
    """The answers of one call; the call that streams and its span hold the same one."""

    __slots__ = ("code",)

    def __init__(self, began: int = 0) -> None:
        super().__init__(began)
        self.code: str | None = None

    def tags(self, call_ns: int) -> dict[str, Any]:
        """What is kept of it: how long was waited for them, how many came, how it ended."""
        found: dict[str, Any] = {"messages": self.rows}
        if self.rows:
            found["first_message_ns"] = call_ns + self.first_ns
        if self.code is not None:
            found["code"] = self.code
        if self.error is not None:
            found["error"] = self.error
        return found


#: What a call gave that streams → how its messages came.
streams: WeakKeyDictionary[Any, Streamed] = WeakKeyDictionary()


def streaming(host: Callable[[Any], str], leaf: bool, watch: Callable[[Any, Streamed], object]) -> Wrapper:
    """Around a method whose answers stream: it returns before any has come. `watch` may look for its end."""

    def run(span: Span, wrapped: Callable[..., Any], method: Any, args: Any, kwargs: Any) -> Any:
        args, kwargs = begin(span, host, method, args, kwargs)
        result = wrapped(*args, **kwargs)
        with describing:
            streamed = span.fetched = streams[result] = Streamed()
            watch(result, streamed)
        return result

    def stream(
        wrapped: Callable[..., Any], method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        span = tracing.open_span("http", "grpc", leaf)
        if span is None:
            return wrapped(*args, **kwargs)
        return within(span, run, wrapped, method, args, kwargs)

    return stream


def begin(
    span: Span, host: Callable[[Any], str], method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Name the span by its host, keep the method, and give the arguments with the trace; an empty host is not known."""
    with describing:
        named = host(method)
        span.name = f"grpc {named}" if named else "grpc"
        span.tag(url=f"grpc://{named}{_text(method._method)}")
        if named and propagation.active():
            with _telling:
                return _told(named, args, kwargs)
    return args, kwargs


def host_of(target: bytes | str) -> str:
    """Of ``dns:///host:port``; of a Unix socket its path's last part."""
    return _text(target).rpartition("/")[2].lower()[:200]


def _told(host: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    header = propagation.header_for(host.rpartition(":")[0] or host)
    if header is None:
        return args, kwargs
    given = args[_METADATA] if len(args) > _METADATA else kwargs.get("metadata")
    # An iterator of pairs can be read only once, so what was read goes on.
    pairs = tuple(given or ())
    if all(key != propagation.HEADER for key, _ in pairs):
        pairs = (*pairs, (propagation.HEADER, header))
    if len(args) > _METADATA:
        return (*args[:_METADATA], pairs, *args[_METADATA + 1 :]), kwargs
    return args, {**kwargs, "metadata": pairs}


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
