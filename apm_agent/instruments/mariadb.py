"""mariadb (MariaDB Connector/Python): statements, procedures, commits and connecting.

Its pool never waits: it gives a connection or raises. Rows of an unbuffered cursor are the statement's time where they
are fetched; iterating over one is noted, not timed, which would double what a row costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import iterating_by_row, kept_by_row, reading_row, reading_rows
from apm_agent.instruments.rows import Replaced, Returning, Timed
from apm_agent.instruments.support import Support

_SYSTEM = "mariadb"
_CURSOR, _CONNECTION = "mariadb.cursors:Cursor", "mariadb.connections:Connection"


def execute(wrapped: Callable[..., Any], cursor: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Cursor.execute(statement, data, buffered)``, which may be told only now where its rows are to stay."""
    with dbapi.leaf(_SYSTEM, "", args[0] if args else kwargs.get("statement"), cursor):
        kept_by_row(cursor, False)  # whatever it read before is over, also where this fails
        result = wrapped(*args, **kwargs)
        if not cursor.buffered:
            kept_by_row(cursor, True)
        return result


PATCHES = (
    Returning(f"{_CURSOR}.execute", execute),
    Returning(f"{_CURSOR}.executemany", dbapi.many(_SYSTEM)),
    Replaced(f"{_CURSOR}.fetchone", reading_row),  # and by this one iterates
    Replaced(f"{_CURSOR}.fetchmany", reading_rows),
    Replaced(f"{_CURSOR}.fetchall", reading_rows),
    Replaced(f"{_CURSOR}.__iter__", iterating_by_row),
    Timed(f"{_CURSOR}.callproc", dbapi.procedure(_SYSTEM), kind="db", leaf=True, name="CALL"),
    dbapi.command(f"{_CONNECTION}.begin", _SYSTEM, "BEGIN"),
    # Each of these is a question to the server, whether or not there is something to finish.
    dbapi.command(f"{_CONNECTION}.commit", _SYSTEM, "COMMIT"),
    dbapi.command(f"{_CONNECTION}.rollback", _SYSTEM, "ROLLBACK"),
    dbapi.connecting(f"{_CONNECTION}.__init__", _SYSTEM),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "mariadb (Connector/Python)",
    "patch of cursors and connections",
    "statement, rows, `executemany` as one, procedures, of an unbuffered cursor the time its rows took to read and the "
    "time to the first (iterating over one is noted, not timed), commits, connecting; its pool never waits",
    ("mariadb",),
)
