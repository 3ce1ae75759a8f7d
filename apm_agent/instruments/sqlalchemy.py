"""SQLAlchemy 1.4 and 2, sync and async: one span a statement, through the engine's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Attached
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_watching = contained("watching SQLAlchemy")
_KEY = "_apm_agent_span"


def attach(library: Any) -> Callable[[], None]:
    """Listen to every engine there is and will be."""
    engine = library.engine.Engine
    listeners = (
        ("before_cursor_execute", before),
        ("after_cursor_execute", after),
        ("handle_error", failed),
    )
    for event, listener in listeners:
        library.event.listen(engine, event, listener)

    def detach() -> None:
        for event, listener in listeners:
            library.event.remove(engine, event, listener)

    return detach


def before(connection: Any, cursor: Any, statement: Any, parameters: Any, context: Any, many: bool) -> None:  # noqa: PLR0917
    """A statement goes to the driver; its span waits on the execution context for the end."""
    if context is None:
        return
    span = tracing.open_span("db", "", True)
    if span is None:
        return
    with _watching:
        span.statement = statement if isinstance(statement, str) else None
        span.tags = {"system": connection.dialect.name}
        setattr(context, _KEY, span)
        return
    tracing.close_span(span)  # without a place to keep it, nobody would


def after(connection: Any, cursor: Any, statement: Any, parameters: Any, context: Any, many: bool) -> None:  # noqa: PLR0917
    """The driver is done."""
    span = _take(context)
    if span is None:
        return
    with _watching:
        rows = cursor.rowcount
        if rows > 0:
            span.tag(rows=rows)
    tracing.close_span(span)


def failed(exception_context: Any) -> None:
    """The driver raised, or the task was cancelled inside it."""
    span = _take(exception_context.execution_context)
    if span is None:
        return
    with _watching:
        span.tag(error=type(exception_context.original_exception).__name__)
    tracing.close_span(span)


def _take(context: Any) -> Span | None:
    kept: dict[str, Any] = getattr(context, "__dict__", {})
    span: Span | None = kept.pop(_KEY, None)
    return span


PATCHES = (Attached("sqlalchemy", attach),)
