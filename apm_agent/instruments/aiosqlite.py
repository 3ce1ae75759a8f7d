"""aiosqlite: statements, commits and rollbacks, where they are handed to the connection's thread.

Its `execute` and kin return an object that is awaited or entered; all come together in one coroutine below, which is
what is watched. The span is the time until the result is back, the thread's queue included, and so is what fetching
its rows adds to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import fetched_by, fetched_of_statement, keep, read_async, rows_in
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support

_SYSTEM = "sqlite"
#: What is handed over, by its name, whose first argument is a statement.
_STATEMENTS = frozenset(("execute", "executemany", "executescript", "_execute_fetchall", "_execute_insert"))
_FETCHES = frozenset(("fetchone", "fetchmany", "fetchall"))
_FINISHING = {"commit": "COMMIT", "rollback": "ROLLBACK"}
_reading = contained("reading what aiosqlite is to do")


async def execute(
    wrapped: Callable[..., Awaitable[Any]], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``Connection._execute(fn, *args, **kwargs)``."""
    task = getattr(args[0], "__name__", "") if args else ""
    query = None
    if task in _FETCHES:
        return await _fetch(wrapped, args, kwargs)
    with _reading:
        if task in _STATEMENTS:
            query = args[1]
        elif task not in _FINISHING or not connection.in_transaction:
            task = ""
    if not task:
        return await wrapped(*args, **kwargs)
    with dbapi.leaf(_SYSTEM, _FINISHING.get(task, ""), query) as span:
        result = await wrapped(*args, **kwargs)
        # A cursor still has the number of the statement before.
        if span is not None and task != "executescript":
            dbapi.count_rows(
                span, len(result) if isinstance(result, list) else getattr(result, "rowcount", 0)
            )
        if task == "execute":
            with _reading:
                keep(result, fetched_of_statement())  # result: sqlite3's cursor
        return result


async def _fetch(
    wrapped: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    fetched = None
    with _reading:
        fetched = fetched_by(args[0].__self__)
    if fetched is None:
        return await wrapped(*args, **kwargs)
    return await read_async(fetched, rows_in, wrapped, *args, **kwargs)


PATCHES = (Returning("aiosqlite.core:Connection._execute", execute),)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "aiosqlite",
    "patch of `Connection._execute`",
    "statement with the time its rows took to fetch, time to the first row, rows, commits and rollbacks of an "
    "open transaction; the wait for the connection's thread is part of each",
    ("aiosqlite",),
)
