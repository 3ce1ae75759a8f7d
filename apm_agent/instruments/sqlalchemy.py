"""SQLAlchemy 1.4 and 2, sync and async: one span a statement, where a dialect hands it to its driver.

Not through the engine's events: listening costs each statement 4 µs before anything is done with it, more
than the span itself, and what an event opens another must close, whichever way the statement ends.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from apm_agent.instruments.handing import hand
from apm_agent.instruments.rows import Attached, Returning, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span


def statement(span: Span, dialect: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``do_execute(cursor, statement, parameters, context=None)`` and its kin."""
    sql = args[1] if len(args) > 1 else kwargs.get("statement")
    if isinstance(sql, str):
        span.statement = sql
    span.tags = {"system": dialect.name}


def rows(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """What the driver says it changed or found."""
    count = args[0].rowcount
    if count > 0:
        span.tag(rows=count)


def _timed(target: str) -> Timed:
    return Timed(target, statement, kind="db", leaf=True, name="", finish=rows, inside=1)


def _attach(engine: Any) -> Callable[[], None]:
    """In 1.4 ``AsyncEngine.begin`` ends in a task as well, in a class that later versions do not have."""
    context = getattr(engine.AsyncEngine, "_trans_ctx", None)
    if context is None:
        return lambda: None
    original = context.__aexit__

    @wraps(original)
    async def ended(*args: Any) -> Any:
        return await hand(original, None, args, {})

    context.__aexit__ = ended

    def detach() -> None:
        if context.__aexit__ is ended:
            context.__aexit__ = original

    return detach


PATCHES = (
    _timed("sqlalchemy.engine.default:DefaultDialect.do_execute"),
    _timed("sqlalchemy.engine.default:DefaultDialect.do_execute_no_params"),
    _timed("sqlalchemy.engine.default:DefaultDialect.do_executemany"),
    # Those that have their own way with many:
    _timed("sqlalchemy.dialects.mysql.mysqldb:MySQLDialect_mysqldb.do_executemany"),
    _timed("sqlalchemy.dialects.mssql.pyodbc:MSDialect_pyodbc.do_executemany"),
    _timed("sqlalchemy.dialects.oracle.cx_oracle:OracleDialect_cx_oracle.do_executemany"),
    _timed("sqlalchemy.dialects.postgresql.psycopg2:PGDialect_psycopg2.do_executemany"),
    # Async: statements run in a greenlet. Who imported the function before us has it under a name of its own.
    Returning("sqlalchemy.util._concurrency_py3k:greenlet_spawn", hand),
    Returning("sqlalchemy.util.concurrency:greenlet_spawn", hand),
    Returning("sqlalchemy.util:greenlet_spawn", hand),
    Returning("sqlalchemy.ext.asyncio.engine:greenlet_spawn", hand),
    Returning("sqlalchemy.ext.asyncio.session:greenlet_spawn", hand),
    Returning("sqlalchemy.ext.asyncio.result:greenlet_spawn", hand),
    # The end of a block is shielded from cancellation by a task of its own, in which no line of the user's is.
    Returning("sqlalchemy.ext.asyncio.engine:AsyncConnection.__aexit__", hand),
    Attached("sqlalchemy.ext.asyncio.engine", _attach),
    Returning("sqlalchemy.ext.asyncio.session:AsyncSession.__aexit__", hand),
    Returning("sqlalchemy.ext.asyncio.session:_AsyncSessionContextManager.__aexit__", hand),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "SQLAlchemy (sync, async)",
    "patch of the dialects' `do_execute` and its kin, where a statement goes to its driver; listening to "
    "the engine's events would cost more",
    "each statement once, also where its driver is watched; `executemany` as one",
    ("SQLAlchemy",),
)
