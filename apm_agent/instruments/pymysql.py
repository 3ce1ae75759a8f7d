"""PyMySQL: statements, procedures, commits and connecting.

Rows of an unbuffered cursor are the statement's time, as each is read, whichever way.
"""

from __future__ import annotations

from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import began_by_row, reading_row
from apm_agent.instruments.rows import Replaced, Returning, Timed
from apm_agent.instruments.support import Support

_SYSTEM = "mysql"
_statement = dbapi.statement(_SYSTEM)


def _executing(method: str) -> Timed:
    target = f"pymysql.cursors:Cursor.{method}"
    return Timed(target, _statement, kind="db", leaf=True, name="", finish=dbapi.rows_returned)


PATCHES = (
    _executing("execute"),
    _executing("executemany"),
    Timed("pymysql.cursors:Cursor.callproc", dbapi.procedure(_SYSTEM), kind="db", leaf=True, name="CALL"),
    Returning("pymysql.cursors:SSCursor._query", began_by_row),
    Replaced("pymysql.cursors:SSCursor.read_next", reading_row),
    # Each of these is a question to the server, whether or not there is something to finish.
    dbapi.command("pymysql.connections:Connection.begin", _SYSTEM, "BEGIN"),
    dbapi.command("pymysql.connections:Connection.commit", _SYSTEM, "COMMIT"),
    dbapi.command("pymysql.connections:Connection.rollback", _SYSTEM, "ROLLBACK"),
    dbapi.command("pymysql.connections:Connection._send_autocommit_mode", _SYSTEM, "SET AUTOCOMMIT"),
    dbapi.connecting("pymysql.connections:Connection.connect", _SYSTEM),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "PyMySQL",
    "patch of cursors and connections",
    "statement, rows, `executemany` as one, procedures, of an unbuffered cursor the time its rows took to read and the "
    "time to the first, commits and switches of autocommit, connecting",
    ("PyMySQL",),
)
