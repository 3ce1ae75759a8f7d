"""mysqlclient (MySQLdb): statements, procedures, commits and connecting.

Rows of an unbuffered cursor are the statement's time where they are fetched; iterating over one is noted, not timed,
which would double what a row costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import began_by_row, iterating_by_row, reading_row, reading_rows
from apm_agent.instruments.rows import Replaced, Returning, Timed
from apm_agent.instruments.support import Support

_SYSTEM = "mysql"
_CURSOR = "MySQLdb.cursors:BaseCursor"
_UNBUFFERED = "MySQLdb.cursors:CursorUseResultMixIn"
_CONNECTION = "MySQLdb.connections:Connection"
_statement = dbapi.statement(_SYSTEM)
_looking = contained("looking at a connection's autocommit")


def autocommit(
    wrapped: Callable[..., Any], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``Connection.autocommit(on)``, which asks the server only when that changes something."""
    changes = False
    with _looking:
        changes = bool(connection.get_autocommit()) is not bool(args[0] if args else kwargs["on"])
    if not changes:
        return wrapped(*args, **kwargs)
    with dbapi.leaf(_SYSTEM, "SET AUTOCOMMIT"):
        return wrapped(*args, **kwargs)


def _executing(method: str) -> Timed:
    return Timed(f"{_CURSOR}.{method}", _statement, kind="db", leaf=True, name="", finish=dbapi.rows_returned)


PATCHES = (
    _executing("execute"),
    _executing("executemany"),
    Timed(f"{_CURSOR}.callproc", dbapi.procedure(_SYSTEM), kind="db", leaf=True, name="CALL"),
    Returning(f"{_UNBUFFERED}._get_result", began_by_row),
    Replaced(f"{_UNBUFFERED}.fetchone", reading_row),  # and by this one iterates
    Replaced(f"{_UNBUFFERED}.fetchmany", reading_rows),
    Replaced(f"{_UNBUFFERED}.fetchall", reading_rows),
    Replaced(f"{_CURSOR}.__iter__", iterating_by_row),
    dbapi.command(f"{_CONNECTION}.begin", _SYSTEM, "BEGIN"),
    # Inherited from the class made in C; each is a question to the server.
    dbapi.command(f"{_CONNECTION}.commit", _SYSTEM, "COMMIT"),
    dbapi.command(f"{_CONNECTION}.rollback", _SYSTEM, "ROLLBACK"),
    Returning(f"{_CONNECTION}.autocommit", autocommit),
    dbapi.connecting(f"{_CONNECTION}.__init__", _SYSTEM),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "mysqlclient",
    "patch of cursors and connections",
    "as PyMySQL; iterating over an unbuffered cursor is noted, not timed",
    ("mysqlclient",),
)
