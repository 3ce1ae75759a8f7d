"""mariadb (MariaDB Connector/Python): statements, procedures, commits and connecting.

Its pool never waits: it gives a connection or raises.
"""

from __future__ import annotations

from apm_agent.instruments import dbapi
from apm_agent.instruments.rows import Returning, Timed
from apm_agent.instruments.support import Support

_SYSTEM = "mariadb"
_CURSOR, _CONNECTION = "mariadb.cursors:Cursor", "mariadb.connections:Connection"

PATCHES = (
    Returning(f"{_CURSOR}.execute", dbapi.many(_SYSTEM)),
    Returning(f"{_CURSOR}.executemany", dbapi.many(_SYSTEM)),
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
    "statement, rows, `executemany` as one, procedures, commits, connecting; its pool never waits",
    ("mariadb",),
)
