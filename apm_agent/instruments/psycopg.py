"""psycopg 3, sync and async: statements, COPY, transactions, connecting, and waiting for its pool.

Rows of a server-side cursor are the statement's time, batch by batch as they come from the server, also while one
iterates. What a COPY block does itself is part of its span. Statements of a pipeline are sent, not waited for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any

from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import began, fetched_by, read_stepwise
from apm_agent.instruments.rows import Returning, Row, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing.current import current

_SYSTEM = "postgresql"
_IDLE = 0  # PQTRANS_IDLE


def in_transaction(connection: Any) -> bool:
    """Whether there is something to commit; psycopg sends nothing otherwise."""
    return bool(connection.pgconn.transaction_status != _IDLE)


def enter(span: Span, block: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``with connection.transaction():``, which sends a savepoint inside of another."""
    span.name = "SAVEPOINT" if in_transaction(block.connection) else "BEGIN"
    span.tags = {"system": _SYSTEM}


def leave(span: Span, block: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Its end; after an error or when it was asked to, a rollback."""
    failed = bool(args) and args[0] is not None
    span.name = "ROLLBACK" if failed or block.force_rollback else "COMMIT"
    span.tags = {"system": _SYSTEM}


def copy(
    wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> AbstractContextManager[Any]:
    """``with cursor.copy(statement) as copy:`` is one span, from sending the statement to the last row."""
    inner: AbstractContextManager[Any] = wrapped(*args, **kwargs)
    return inner if current.get() is None else _copying(inner, cursor, args, kwargs)


def copy_async(
    wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> AbstractAsyncContextManager[Any]:
    """``async with cursor.copy(statement) as copy:``."""
    inner: AbstractAsyncContextManager[Any] = wrapped(*args, **kwargs)
    return inner if current.get() is None else _copying_async(inner, cursor, args, kwargs)


def fetch(
    wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Generator[Any, Any, Any]:
    """``ServerCursor._fetch_gen(number)``, by which all ways to read its rows go; its pauses are waits."""
    fetched = fetched_by(cursor)
    if fetched is not None:
        return (yield from read_stepwise(fetched, len, wrapped, *args, **kwargs))
    with dbapi.leaf(_SYSTEM, "FETCH") as span:  # of a cursor that was opened before this transaction
        rows = yield from wrapped(*args, **kwargs)
        if span is not None:
            dbapi.count_rows(span, len(rows))
        return rows


@contextmanager
def _copying(inner: AbstractContextManager[Any], cursor: Any, args: Any, kwargs: Any) -> Iterator[Any]:
    with _Copy(cursor, args, kwargs), inner as given:
        yield given


@asynccontextmanager
async def _copying_async(
    inner: AbstractAsyncContextManager[Any], cursor: Any, args: Any, kwargs: Any
) -> AsyncIterator[Any]:
    with _Copy(cursor, args, kwargs):
        async with inner as given:
            yield given


class _Copy(dbapi.leaf):
    """No leaf: what the block asks of others meanwhile is theirs."""

    __slots__ = ()

    def __init__(self, cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(_SYSTEM, "", args[0] if args else kwargs.get("statement"), cursor)
        if self.span is not None:
            self.span.leaf = False


def _rows_of(cursor: str, transaction: str, connection: str, dunder: str) -> tuple[Row, ...]:
    is_async = dunder == "a"
    statement = dbapi.statement(_SYSTEM)
    many, finishing = (dbapi.many_async, dbapi.finishing_async) if is_async else (dbapi.many, dbapi.finishing)

    def executing(target: str) -> Timed:
        return Timed(target, statement, kind="db", leaf=True, name="", finish=dbapi.rows_of_result)

    server = cursor.replace("Cursor", "ServerCursor")
    return (
        dbapi.connecting(f"psycopg:{connection}.connect", _SYSTEM),
        executing(f"psycopg:{cursor}.execute"),
        Returning(f"psycopg:{cursor}.executemany", many(_SYSTEM)),
        Timed(f"psycopg:{cursor}.stream", statement, kind="db", leaf=True, name=""),
        Returning(f"psycopg:{cursor}.copy", copy_async if is_async else copy),
        executing(f"psycopg:{server}.execute"),
        Returning(f"psycopg:{server}._declare_gen", began),
        Returning(f"psycopg:{server}._fetch_gen", fetch),
        Returning(f"psycopg:{connection}.commit", finishing(_SYSTEM, "COMMIT", in_transaction)),
        Returning(f"psycopg:{connection}.rollback", finishing(_SYSTEM, "ROLLBACK", in_transaction)),
        Timed(f"psycopg:{transaction}.__{dunder}enter__", enter, kind="db", leaf=True, name="BEGIN"),
        Timed(f"psycopg:{transaction}.__{dunder}exit__", leave, kind="db", leaf=True, name="COMMIT"),
    )


PATCHES = (
    *_rows_of("Cursor", "Transaction", "Connection", ""),
    *_rows_of("AsyncCursor", "AsyncTransaction", "AsyncConnection", "a"),
    # Bound to its class before we come.
    dbapi.connecting("psycopg:connect", _SYSTEM),
    dbapi.waiting("psycopg_pool:ConnectionPool.getconn", _SYSTEM),
    dbapi.waiting("psycopg_pool:AsyncConnectionPool.getconn", _SYSTEM),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "psycopg 3 (sync, async, pools)",
    "patch of cursors, connections, transaction blocks and the pools' `getconn`",
    "statement, rows, COPY as one span to its block's end, of server-side cursors the time their rows took to fetch "
    "and the time to the first, commits that send something, connecting; waiting for a pool apart",
    ("psycopg", "psycopg-pool"),
)
