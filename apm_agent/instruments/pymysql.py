"""PyMySQL: statements, procedures, commits and connecting.

Rows of an unbuffered cursor are timed where many are fetched at once, not one by one.
"""

from __future__ import annotations

from apm_agent.instruments import dbapi
from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support

_SYSTEM = "mysql"
_statement = dbapi.statement(_SYSTEM)


def _executing(method: str) -> Timed:
    target = f"pymysql.cursors:Cursor.{method}"
    return Timed(target, _statement, kind="db", leaf=True, name="", finish=dbapi.rows_returned)


def _fetching(method: str) -> Timed:
    target = f"pymysql.cursors:SSCursor.{method}"
    return Timed(target, dbapi.named(_SYSTEM), kind="db", leaf=True, name="FETCH", finish=dbapi.batch_fetched)


PATCHES = (
    _executing("execute"),
    _executing("executemany"),
    Timed("pymysql.cursors:Cursor.callproc", dbapi.procedure(_SYSTEM), kind="db", leaf=True, name="CALL"),
    _fetching("fetchmany"),
    _fetching("fetchall"),
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
    "statement, rows, `executemany` as one, procedures, fetching many from an unbuffered cursor, commits "
    "and switches of autocommit, connecting",
    ("PyMySQL",),
)
