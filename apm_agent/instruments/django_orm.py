"""Django's ORM: one span a statement, where a cursor goes through the execute wrappers, and one a connect.

Not by an execute wrapper: the application may look at those of a connection, and one of ours would be among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning, Timed
from apm_agent.instruments.support import Support
from apm_agent.instruments.wrapping import within
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_watching = contained("watching Django's database")


def execute(wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Around the application's wrappers; `many` executions of one statement are one span."""
    span = tracing.open_span("db", "", True)
    if span is None:
        return wrapped(*args, **kwargs)
    with _watching:
        sql = args[0] if args else kwargs.get("sql")
        span.statement = sql if isinstance(sql, str) else None
        span.tags = {"system": cursor.db.vendor}
    return within(span, _execute, wrapped, cursor, args, kwargs)


def _execute(
    span: Span, wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    result = wrapped(*args, **kwargs)
    with _watching:
        rows = cursor.cursor.rowcount
        if rows > 0:
            span.tag(rows=rows)
    return result


def connect(span: Span, database: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Connecting, with what the backend says to set the connection up: no query of the application's."""
    span.name = "connect"
    span.tags = {"system": database.vendor}


PATCHES = (
    Returning("django.db.backends.utils:CursorWrapper._execute_with_wrappers", execute),
    Timed("django.db.backends.base.base:BaseDatabaseWrapper.connect", connect, kind="db", leaf=True),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "Django's ORM",
    "patch of `CursorWrapper._execute_with_wrappers` and of `BaseDatabaseWrapper.connect`",
    "each statement once, also where its driver is watched; `executemany` as one, connecting",
    ("Django",),
)
