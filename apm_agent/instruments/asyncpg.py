"""asyncpg: statements, prepared ones and cursors, COPY, connecting, and waiting for its pool.

Not through `Connection.add_query_logger`: it tells of a query when that has ended, each connection must be given it,
and what lies between two queries it does not know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import Asked, fetched_of_statement, read_async, within_now
from apm_agent.instruments.rows import Finish, Returning, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Fetched, Span

_SYSTEM = "postgresql"
_keeping = contained("keeping whose rows a cursor reads")


class _Query(str):
    """A cursor's statement that knows how its rows are read: nothing else fits on asyncpg's cursors."""

    fetched: Fetched


def statement(span: Span, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``Connection.fetch(query, *args, …)`` and its kin."""
    query = args[0] if args else kwargs.get("query", kwargs.get("command"))
    span.statement = query if isinstance(query, str) else None
    span.tags = {"system": _SYSTEM}


def held(span: Span, prepared: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """A prepared statement."""
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


async def bind(
    wrapped: Callable[..., Awaitable[Any]], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``BaseCursor._bind(timeout)``, which opens a cursor and asks for no row."""
    with dbapi.leaf(_SYSTEM, "", cursor._query):
        with _keeping:
            _keep(cursor, Asked)
        return await wrapped(*args, **kwargs)


async def bind_exec(
    wrapped: Callable[..., Awaitable[Any]], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``BaseCursor._bind_exec(number, timeout)``, by which iterating begins: the first rows come with it."""
    with dbapi.leaf(_SYSTEM, "", cursor._query):
        rows = await wrapped(*args, **kwargs)
        with _keeping:
            fetched = _keep(cursor, Fetched)
            if fetched is not None:
                fetched.rows += len(rows)
        return rows


def _keep(cursor: Any, kind: type[Fetched]) -> Fetched | None:
    fetched = fetched_of_statement(kind)
    if fetched is not None and isinstance(cursor._query, str):
        query = cursor._query = _Query(cursor._query)
        query.fetched = fetched
    return fetched


async def fetch(
    wrapped: Callable[..., Awaitable[Any]], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``BaseCursor._exec(number, timeout)``: the next rows, for iterating many at once."""
    fetched = within_now(getattr(cursor._query, "fetched", None))
    if fetched is not None:
        return await read_async(fetched, len, wrapped, *args, **kwargs)
    with dbapi.leaf(_SYSTEM, "FETCH") as span:  # of a cursor that was opened before this transaction
        rows = await wrapped(*args, **kwargs)
        if span is not None:
            dbapi.count_rows(span, len(rows))
        return rows


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
    Returning("asyncpg.cursor:BaseCursor._bind", bind),
    Returning("asyncpg.cursor:BaseCursor._bind_exec", bind_exec),
    Returning("asyncpg.cursor:BaseCursor._exec", fetch),
    dbapi.waiting("asyncpg.pool:Pool._acquire", _SYSTEM),
    # It asks the server to forget what the connection was told.
    dbapi.command("asyncpg.pool:Pool.release", _SYSTEM, "RESET"),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "asyncpg",
    "patch of connections, prepared statements, cursors and pools",
    "statement, rows where asyncpg tells them, `executemany` as one, COPY, of cursors the time their rows took to "
    "fetch and the time to the first, connecting; waiting for a pool apart",
    ("asyncpg",),
)
