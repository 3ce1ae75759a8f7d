"""asyncpg: statements, prepared ones and cursors, COPY, connecting, and waiting for its pool.

Not through `Connection.add_query_logger`: it tells of a query when that has ended, each connection must be given it,
and what lies between two queries it does not know.
"""

from __future__ import annotations

from typing import Any

from apm_agent.instruments import dbapi
from apm_agent.instruments.rows import Finish, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span

_SYSTEM = "postgresql"


def statement(span: Span, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``Connection.fetch(query, *args, …)`` and its kin."""
    query = args[0] if args else kwargs.get("query", kwargs.get("command"))
    span.statement = query if isinstance(query, str) else None
    span.tags = {"system": _SYSTEM}


def held(span: Span, prepared: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """A prepared statement, or a cursor as it opens."""
    query = prepared._query
    span.statement = query if isinstance(query, str) else None
    span.tags = {"system": _SYSTEM}


def table(span: Span, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``Connection.copy_to_table(table_name, …)`` and its kin."""
    name = args[0] if args else kwargs.get("table_name")
    span.name = f"COPY {name}"[:200] if isinstance(name, str) else "COPY"
    span.tags = {"system": _SYSTEM}


def status(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """``INSERT 0 3``, ``COPY 5``; not ``BEGIN``."""
    count = result.rpartition(" ")[2]
    if count.isdigit():
        dbapi.count_rows(span, int(count))


def prepared_rows(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """What a prepared statement gives: the rows, or the rows, the status and whether that was all."""
    rows = result[0] if isinstance(result, tuple) and result else result
    if isinstance(rows, list):
        dbapi.count_rows(span, len(rows))


def _running(method: str, finish: Finish | None = None) -> Timed:
    return Timed(f"asyncpg:Connection.{method}", statement, kind="db", leaf=True, name="", finish=finish)


def _copying(method: str) -> Timed:
    # No leaf: what makes the rows is the application's.
    return Timed(f"asyncpg:Connection.{method}", table, kind="db", name="COPY", finish=status)


def _at_cursor(method: str, describe: Any, name: str) -> Timed:
    finish = dbapi.rows_fetched if method != "_bind" else None
    return Timed(
        f"asyncpg.cursor:BaseCursor.{method}", describe, kind="db", leaf=True, name=name, finish=finish
    )


PATCHES = (
    # Everybody's way, the pools' too, whichever name it was imported by.
    dbapi.connecting("asyncpg.connect_utils:_connect", _SYSTEM),
    _running("execute", status),
    _running("_executemany"),  # of `executemany` and `fetchmany`
    _running("fetch", dbapi.rows_fetched),
    _running("fetchval"),
    _running("fetchrow", dbapi.rows_fetched),
    _running("copy_from_query", status),
    _copying("copy_from_table"),
    _copying("copy_to_table"),
    _copying("copy_records_to_table"),
    dbapi.command("asyncpg:Connection.prepare", _SYSTEM, "PREPARE"),
    # Its public methods are no coroutine functions: they check first, then return a coroutine. All come here.
    Timed(
        "asyncpg.prepared_stmt:PreparedStatement._PreparedStatement__do_execute",
        held,
        kind="db",
        leaf=True,
        name="",
        finish=prepared_rows,
    ),
    # One each question to the server; iterating asks for many rows at once.
    _at_cursor("_bind", held, ""),
    _at_cursor("_bind_exec", held, ""),
    _at_cursor("_exec", dbapi.named(_SYSTEM), "FETCH"),
    dbapi.waiting("asyncpg.pool:Pool._acquire", _SYSTEM),
    # It asks the server to forget what the connection was told.
    dbapi.command("asyncpg.pool:Pool.release", _SYSTEM, "RESET"),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "asyncpg",
    "patch of connections, prepared statements, cursors and pools",
    "statement, rows where asyncpg tells them, `executemany` as one, COPY, each batch of a server-side "
    "cursor, connecting; waiting for a pool apart",
    ("asyncpg",),
)
