"""Django's ORM: one span a statement, through the execute wrappers of each connection, and one a connect."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Attached, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_watching = contained("watching Django's database")
_ID = "apm_agent.instruments.django_orm"


def attach(signals: Any) -> Callable[[], None]:
    """Join each connection as it opens, and those of this thread that are open already."""
    signals.connection_created.connect(_join, weak=False, dispatch_uid=_ID)
    for connection in _open_connections():
        _join(connection=connection)

    def detach() -> None:
        signals.connection_created.disconnect(dispatch_uid=_ID)
        for connection in _open_connections():
            if execute in connection.execute_wrappers:
                connection.execute_wrappers.remove(execute)

    return detach


def _open_connections() -> list[Any]:
    database = sys.modules.get("django.db")
    handler = getattr(database, "connections", None)
    if handler is None or not sys.modules["django.conf"].settings.configured:
        return []
    # Those of other threads are out of reach: they join when they next connect.
    return [c for c in (getattr(handler._connections, name, None) for name in handler) if c is not None]


def _join(connection: Any, **_: Any) -> None:
    with _watching:
        if execute not in connection.execute_wrappers:
            # First, not last: `with connection.execute_wrapper(...)` takes the last one off when it ends.
            connection.execute_wrappers.insert(0, execute)


def execute(plain: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """The wrapper: `many` executions of one statement are one span."""
    span = tracing.open_span("db", "", True)
    if span is None:
        return plain(sql, params, many, context)
    with _watching:
        span.statement = sql if isinstance(sql, str) else None
        span.tags = {"system": context["connection"].vendor}
    try:
        result = plain(sql, params, many, context)
        with _watching:
            rows = context["cursor"].rowcount
            if rows > 0:
                span.tag(rows=rows)
        return result
    except BaseException as error:
        span.tag(error=type(error).__name__)
        raise
    finally:
        tracing.close_span(span)


def connect(span: Span, database: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Connecting, with what the backend says to set the connection up: no query of the application's."""
    span.name = "connect"
    span.tags = {"system": database.vendor}


PATCHES = (
    Attached("django.db.backends.signals", attach),
    Timed("django.db.backends.base.base:BaseDatabaseWrapper.connect", connect, kind="db", leaf=True),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "Django's ORM",
    "its own `execute_wrappers`; patch of `BaseDatabaseWrapper.connect`",
    "each statement once, also where its driver is watched; `executemany` as one, connecting",
    ("Django",),
)
