"""psycopg2: statements, COPY, commits and connecting, through the factories the library offers for it.

A connection made by ``psycopg2.connect`` is of a subclass of what it would have been, and so are its cursors, which
`register_type`, `quote_ident` and all of ``psycopg2.extras`` take for what they are. Rows of a server-side cursor are
the statement's time where they are fetched; iterating over one is noted, not timed: it is done in C, and a method of
ours in its place would cost each row. A factory that is a function is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import Asked, fetched_by, fetched_of_statement, keep, one, read
from apm_agent.instruments.rows import Returning, Timed
from apm_agent.instruments.subclassing import Subclasses, like
from apm_agent.instruments.support import Support
from apm_agent.instruments.wrapping import within
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_SYSTEM = "postgresql"
_READY = 1  # psycopg2.extensions.STATUS_READY: no transaction is open
_preparing = contained("preparing a psycopg2 connection")


def connect(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``psycopg2.connect(dsn=None, connection_factory=None, cursor_factory=None, …)``."""
    with _preparing:
        base = sys.modules["psycopg2.extensions"].connection
        if len(args) > 1:
            args = (args[0], _connections.of(args[1] or base), *args[2:])
        else:
            kwargs = {
                **kwargs,
                "connection_factory": _connections.of(kwargs.get("connection_factory") or base),
            }
    with dbapi.leaf(_SYSTEM, "connect"):
        return wrapped(*args, **kwargs)


def _connection(base: Any) -> dict[str, Any] | None:
    library = sys.modules["psycopg2.extensions"]
    if base is not library.connection:
        return None
    plain, cursor_class = library.connection.cursor, library.cursor

    def cursor(self: Any, *args: Any, **kwargs: Any) -> Any:
        # cursor(name=None, cursor_factory=None, withhold=False, scrollable=None)
        with _preparing:
            classes = _cursors if (args[0] if args else kwargs.get("name")) is None else _server_cursors
            given = args[1] if len(args) > 1 else kwargs.get("cursor_factory")
            made = classes.of(given or self.cursor_factory or cursor_class)
            if len(args) > 1:
                args = (args[0], made, *args[2:])
            else:
                kwargs["cursor_factory"] = made
        return plain(self, *args, **kwargs)

    return {
        "cursor": like(cursor, plain),
        "commit": _finishing("COMMIT", library.connection.commit),
        "rollback": _finishing("ROLLBACK", library.connection.rollback),
    }


def _cursor(base: Any) -> dict[str, Any] | None:
    if base is not sys.modules["psycopg2.extensions"].cursor:
        return None
    return {
        "execute": _executing(base.execute),
        "executemany": _executing(base.executemany),
        "callproc": _calling("CALL", base.callproc),
        "copy_expert": _executing(base.copy_expert),
        "copy_from": _calling("COPY", base.copy_from, 1),
        "copy_to": _calling("COPY", base.copy_to, 1),
    }


def _server_cursor(base: Any) -> dict[str, Any] | None:
    methods = _cursor(base)
    if methods is not None:
        methods["execute"] = _declaring(base.execute)
        methods["fetchone"] = _fetching(base.fetchone, one)
        methods["fetchmany"] = _fetching(base.fetchmany, len)
        methods["fetchall"] = _fetching(base.fetchall, len)
        methods["__iter__"] = _iterating(base.__iter__)
    return methods


_connections = Subclasses(_connection)
_cursors = Subclasses(_cursor)
_server_cursors = Subclasses(_server_cursor)


def _executing(plain: Callable[..., Any]) -> Any:
    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        span = tracing.open_span("db", "", True)
        if span is None:
            return plain(self, *args, **kwargs)
        return within(span, _execute, plain, self, args, kwargs)

    return like(execute, plain)


def _execute(
    span: Span, plain: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    tags: dict[str, Any] = {"system": _SYSTEM}
    span.tags = tags
    with _preparing:
        query = args[0] if args else kwargs.get("query", kwargs.get("sql"))
        span.statement = query if type(query) is str else dbapi.text_of(query)
    result = plain(cursor, *args, **kwargs)
    rows = cursor.rowcount
    if rows > 0:
        tags["rows"] = rows
    return result


def _declaring(plain: Callable[..., Any]) -> Any:
    def declare(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _preparing:
            keep(self, fetched_of_statement(Asked))
        return plain(self, *args, **kwargs)

    return like(_executing(declare), plain)


def _calling(verb: str, plain: Callable[..., Any], position: int = 0) -> Any:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        what = args[position] if len(args) > position else kwargs.get("procname", kwargs.get("table"))
        with dbapi.leaf(_SYSTEM, f"{verb} {what}"[:200] if isinstance(what, str) else verb, cursor=self):
            return plain(self, *args, **kwargs)

    return like(call, plain)


def _fetching(plain: Callable[..., Any], count: Callable[[Any], int]) -> Any:
    def fetch(self: Any, *args: Any, **kwargs: Any) -> Any:
        fetched = fetched_by(self)
        if fetched is not None:
            return read(fetched, count, plain, self, *args, **kwargs)
        with dbapi.leaf(_SYSTEM, "FETCH") as span:  # of a cursor that was opened before this transaction
            found = plain(self, *args, **kwargs)
            if span is not None:
                dbapi.count_rows(span, count(found))
            return found

    return like(fetch, plain)


def _iterating(plain: Callable[..., Any]) -> Any:
    def iterate(self: Any) -> Any:
        fetched = fetched_by(self)
        if fetched is not None:
            fetched.iterated = True
        return plain(self)

    return like(iterate, plain)


def _finishing(name: str, plain: Callable[..., Any]) -> Any:
    def finish(self: Any) -> Any:
        if self.status == _READY:
            return plain(self)
        with dbapi.leaf(_SYSTEM, name):
            return plain(self)

    return like(finish, plain)


def batch(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``execute_values(cur, sql, argslist, …)`` and its kin, which send many pages."""
    span.tags = {"system": _SYSTEM}
    span.statement = dbapi.text_of(args[1] if len(args) > 1 else kwargs["sql"])


PATCHES = (
    Returning("psycopg2:connect", connect),
    Timed("psycopg2.extras:execute_batch", batch, kind="db", leaf=True, name=""),
    Timed("psycopg2.extras:execute_values", batch, kind="db", leaf=True, name=""),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "psycopg2",
    "the library's own `connection_factory` and `cursor_factory`; a subclass of yours stays outermost",
    "statement, rows, `executemany`, `execute_values` and `execute_batch` as one, COPY, `callproc`, "
    "of server-side cursors the rows, the time they took to fetch and the time to the first (iterating over one is "
    "noted, not timed), commits that send something, connecting",
    ("psycopg2-binary",),
)
