"""OpenTelemetry: spans an application or library makes through its API become ours, inside a transaction.

Where nobody set a provider, the API's spans that do nothing are replaced by ours, and a provider may still be set at
any time. A provider of the SDK that somebody set stays, and is given one more span processor, which exports nothing.
What we see ourselves is left out: the request (server spans), and what the instrumentation of a library tells that
has an instrument here. A call's span is a leaf, so that no instrument counts below it what it has counted.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import http, opentelemetry_words, patching
from apm_agent.instruments.rows import Attached, Returning
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.lines import logging_transaction

_opening = contained("opening a span of OpenTelemetry")
_noting = contained("describing a span")

_API, _SDK = "opentelemetry.trace", "opentelemetry.sdk.trace"
#: Kinds that stand for the request or job itself, which is the transaction.
_ENTRIES = frozenset({"SERVER", "CONSUMER"})
#: Open spans of an SDK by their id; what never ends is let go of when there are too many.
_open: dict[int, Span] = {}
_MOST_OPEN = 1000
#: What the API's `use_span` is told of how a span ends.
_ENDING = ("end_on_exit", "record_exception", "set_status_on_exception")
#: name of an instrumentation → whether an instrument of ours sees the same
_seen: dict[str, bool] = {}
#: the classes made of theirs, which must not be imported before they are
_classes: dict[str, Any] = {}


def _begin(scope: str, kind: Any, name: object, attributes: Mapping[str, Any] | None) -> Span | None:
    if logging_transaction() is None or getattr(kind, "name", "") in _ENTRIES or _is_seen(scope):
        return None
    given = attributes or {}
    ours = opentelemetry_words.kind_of(getattr(kind, "name", ""), given)
    span = tracing.open_span(ours, str(name)[:200], leaf=ours != "code")
    if span is not None and given:
        _describe(span, given)
    return span


def _is_seen(scope: str) -> bool:
    known = _seen.get(scope)
    if known is None:
        if len(_seen) >= _MOST_OPEN:
            _seen.clear()
        name = opentelemetry_words.instrument_of(scope)
        on = {each for each, state, _ in patching.states() if state != patching.DISABLED} if name else set()
        known = _seen[scope] = name in on or name in opentelemetry_words.ENTRIES
    return known


def _describe(span: Span, attributes: Mapping[str, Any]) -> None:
    with _noting:
        statement = opentelemetry_words.statement_of(attributes)
        if statement is not None and span.kind == "db":
            span.statement = statement
        address = attributes.get("url.full") or attributes.get("http.url")
        if span.kind == "http" and isinstance(address, str):
            method = attributes.get("http.request.method") or attributes.get("http.method") or "GET"
            http.describe(span, method, address)
        tags = opentelemetry_words.tags_of(attributes)
        if tags:
            span.tag(**tags)


# Without a provider: what the API itself hands out.


def _named(wrapped: Callable[..., Any], proxy: Any, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    with _noting:  # its tracer that does nothing is asked, and does not know for whom
        proxy._noop_tracer._apm_agent_scope = str(
            args[0] if args else kwargs.get("instrumenting_module_name", "")
        )
    return result


def _started(wrapped: Callable[..., Any], tracer: Any, args: Any, kwargs: Any) -> Any:
    nothing = wrapped(*args, **kwargs)
    with _opening:
        name = args[0] if args else kwargs.get("name", "")
        kind = args[2] if len(args) > 2 else kwargs.get("kind")
        attributes = args[3] if len(args) > 3 else kwargs.get("attributes")
        span = _begin(getattr(tracer, "_apm_agent_scope", ""), kind, name, attributes)
        if span is not None:
            return _span_class()(nothing.get_span_context(), span)
    return nothing


def _span_class() -> Any:
    made = _classes.get("span")
    if made is None:
        made = _classes["span"] = _make_span(sys.modules[_API])
    return made


def _make_span(api: Any) -> Any:
    class RecordedSpan(api.NonRecordingSpan):  # type: ignore[misc]
        """A span of the API that is one of ours; its context stays what it was, so nothing more is sent to others."""

        def __init__(self, context: Any, span: Span) -> None:
            super().__init__(context)
            self._apm_agent = span

        def is_recording(self) -> bool:
            return not self._apm_agent.end_ns

        def set_attribute(self, key: str, value: Any) -> None:
            _describe(self._apm_agent, {key: value})

        def set_attributes(self, attributes: Mapping[str, Any]) -> None:
            _describe(self._apm_agent, attributes)

        def update_name(self, name: str) -> None:
            self._apm_agent.name = str(name)[:200]

        def record_exception(self, exception: BaseException, *args: Any, **kwargs: Any) -> None:
            self._apm_agent.tag(error=type(exception).__name__)

        def end(self, end_time: int | None = None) -> None:
            tracing.close_span(self._apm_agent)

    return RecordedSpan


def _attach_api(api: Any) -> Callable[[], None]:
    """Of old, its tracer that does nothing gives a with-block a span that it did not start."""
    tracer = api.NoOpTracer
    original = tracer.start_as_current_span
    if "start_span" in original.__wrapped__.__code__.co_names:
        return lambda: None
    signature = inspect.signature(original)

    @wraps(original)
    @contextmanager
    def start_as_current_span(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        given = signature.bind(self, *args, **kwargs).arguments
        ending = {key: given.get(key, True) for key in _ENDING}
        given.pop("end_on_exit", None)
        span = self.start_span(**{key: one for key, one in given.items() if key != "self"})
        if hasattr(span, "_apm_agent"):
            with api.use_span(span, **ending):
                yield span
        else:
            yield span

    tracer.start_as_current_span = start_as_current_span

    def detach() -> None:
        if tracer.start_as_current_span is start_as_current_span:
            tracer.start_as_current_span = original

    return detach


# With a provider of the SDK.


def _provided(wrapped: Callable[..., Any], provider: Any, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    with _opening:
        _add_to(provider)
    return result


def _add_to(provider: Any) -> None:
    sdk = sys.modules.get(_SDK)
    if sdk is None or getattr(provider, "_apm_agent", False):
        return
    made = _classes.get("processor")
    if made is None:
        made = _classes["processor"] = _make_processor(sdk)
    provider.add_span_processor(made())
    provider._apm_agent = True


def _make_processor(sdk: Any) -> Any:
    class Processor(sdk.SpanProcessor):  # type: ignore[misc]
        """Told of every span the provider's sampler lets through."""

        def on_start(self, span: Any, parent_context: Any = None) -> None:
            with _opening:
                scope = getattr(span.instrumentation_scope, "name", "") or ""
                ours = _begin(scope, span.kind, span.name, span.attributes)
                if ours is not None:
                    if len(_open) >= _MOST_OPEN:
                        _open.clear()
                    _open[span.context.span_id] = ours

        def on_end(self, span: Any) -> None:
            with _opening:
                ours = _open.pop(span.context.span_id, None)
                if ours is None:
                    return
                ours.name = str(span.name)[:200]
                _describe(ours, span.attributes or {})
                if getattr(span.status.status_code, "name", "") == "ERROR":
                    ours.tag(
                        error=next(
                            (_error(event) for event in span.events if event.name == "exception"), "ERROR"
                        )
                    )
                tracing.close_span(ours)

    return Processor


def _error(event: Any) -> str:
    return str((event.attributes or {}).get("exception.type", "ERROR")).rpartition(".")[2][:100]


def _attach(sdk: Any) -> Callable[[], None]:
    # One that was set before we came.
    api = sys.modules.get(_API)
    provider = getattr(api, "_TRACER_PROVIDER", None)
    if isinstance(provider, sdk.TracerProvider):
        _add_to(provider)

    def detach() -> None:
        # A provider has no way to let go of a processor; without a transaction it does nothing.
        _open.clear()
        _seen.clear()

    return detach


PATCHES = (
    Returning("opentelemetry.trace:ProxyTracer.__init__", _named),
    Returning("opentelemetry.trace:NoOpTracer.start_span", _started),
    Attached("opentelemetry.trace", _attach_api),
    Returning("opentelemetry.sdk.trace:TracerProvider.__init__", _provided),
    Attached("opentelemetry.sdk.trace", _attach),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Logs and traces",
    "OpenTelemetry API and SDK",
    "without a provider, patch of the API's `NoOpTracer`; with one of the SDK, a span processor beside yours",
    "spans made inside a transaction, with numbers, names of things and scrubbed texts; server spans, and "
    "instrumentations of libraries seen here, are left out",
    ("opentelemetry-sdk",),
)
