"""aiomysql: statements, procedures, commits, connecting, and waiting for its pool.

Rows of an unbuffered cursor are the statement's time, as each is read, whichever way.
"""

from __future__ import annotations

from apm_agent.instruments import dbapi
from apm_agent.instruments.fetching import began, one, reading_async
from apm_agent.instruments.rows import Returning, Timed
from apm_agent.instruments.support import Support

_SYSTEM = "mysql"
_CONNECTION = "aiomysql.connection:Connection"
_statement = dbapi.statement(_SYSTEM)


def _executing(method: str) -> Timed:
    target = f"aiomysql.cursors:Cursor.{method}"
    return Timed(target, _statement, kind="db", leaf=True, name="", finish=dbapi.rows_returned)


PATCHES = (
    _executing("execute"),
    _executing("executemany"),
    Timed("aiomysql.cursors:Cursor.callproc", dbapi.procedure(_SYSTEM), kind="db", leaf=True, name="CALL"),
    Returning("aiomysql.cursors:SSCursor._query", began),
    Returning("aiomysql.cursors:SSCursor._read_next", reading_async(one)),
    # Each of these is a question to the server, whether or not there is something to finish.
    dbapi.command(f"{_CONNECTION}.begin", _SYSTEM, "BEGIN"),
    dbapi.command(f"{_CONNECTION}.commit", _SYSTEM, "COMMIT"),
    dbapi.command(f"{_CONNECTION}.rollback", _SYSTEM, "ROLLBACK"),
    dbapi.command(f"{_CONNECTION}._send_autocommit_mode", _SYSTEM, "SET AUTOCOMMIT"),
    dbapi.connecting(f"{_CONNECTION}._connect", _SYSTEM),
    dbapi.waiting("aiomysql.pool:Pool._acquire", _SYSTEM),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Databases",
    "aiomysql",
    "patch of cursors, connections and pools",
    "as PyMySQL; waiting for a pool apart",
    ("aiomysql",),
)
