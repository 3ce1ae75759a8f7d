"""aiosqlite: statements, commits and rollbacks, where they are handed to the connection's thread.

Its `execute` and kin return an object that is awaited or entered; all come together in one coroutine below, which is
what is watched. The span is the time until the result is back, the thread's queue included, and so is what fetching
its rows adds to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from apm_agent.clock import system
from apm_agent.errors import contained
from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import fetched_of_another, rows_in
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.model.span import Fetched, Span
from apm_agent.tracing.current import current

_SYSTEM = "sqlite"
#: What is handed over, by its name, whose first argument is a statement.
_STATEMENTS = frozenset(("execute", "executemany", "executescript", "_execute_fetchall", "_execute_insert"))
_FETCHES = frozenset(("fetchone", "fetchmany", "fetchall"))
_FINISHING = {"commit": "COMMIT", "rollback": "ROLLBACK"}
_reading = contained("reading what aiosqlite is to do")
#: sqlite3's cursor → how its rows are read.
_cursors: WeakKeyDictionary[Any, Fetched] = WeakKeyDictionary()


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
        if (
            span is not None and task != "executescript"
        ):  # a cursor still has the number of the statement before
            dbapi.count_rows(
                span, len(result) if isinstance(result, list) else getattr(result, "rowcount", 0)
            )
        if task == "execute":
            with _reading:
                _keep(result, span)
        return result


def _keep(cursor: Any, span: Span | None) -> None:
    if span is None:
        fetched = fetched_of_another()
    else:
        fetched = span.fetched = Fetched()
    if fetched is not None:
        _cursors[cursor] = fetched
    else:
        _cursors.pop(cursor, None)


async def _fetch(
    wrapped: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    fetched, here = None, current.get()
    if here is not None and not (
        isinstance(here, Span) and here.leaf
    ):  # or it is within the statement's own time
        with _reading:
            fetched = _cursors.get(args[0].__self__)
    if fetched is None:
        return await wrapped(*args, **kwargs)
    started = system.monotonic()
    try:
        found = await wrapped(*args, **kwargs)
    except BaseException as error:
        fetched.error = type(error).__name__
        raise
    finally:
        fetched.ns += system.monotonic() - started
    fetched.rows += rows_in(found)
    return found


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
