"""EXPLAIN QUERY PLAN, from a file opened for reading only."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

from apm_agent.model.database import Database
from apm_agent.plans.allowed import fill
from apm_agent.plans.plan import MOST_STEPS, PATIENCE, DatabaseError, Plan, RefusedError, Step, bounded

#: Of https://www.sqlite.org/c3ref/c_alter_table.html: all else is denied, should the statement be no SELECT.
_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
_STEPS_BETWEEN_LOOKS = 10_000
_NOTE = "SQLite does not guess rows here. SCAN reads a whole table, SEARCH goes by an index."


def plan(database: Database, statement: str) -> Plan:
    """The plan of a statement that `allowed.check` let through."""
    path = database.path
    if not os.path.isfile(path):
        raise DatabaseError(f"there is no file for the database {database.name!r} of the setting explain")
    sql, count = fill(statement, "?")
    deadline = time.monotonic() + PATIENCE
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=1)) as connection:
            connection.execute("PRAGMA query_only = 1")
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
            connection.set_authorizer(_authorize)
            rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * count).fetchmany(MOST_STEPS)
    except sqlite3.Error as error:
        raise RefusedError(f"{database.name} does not plan it: {database.clean(str(error))}") from None
    return Plan(bounded(_steps(rows)), f"SQLite {sqlite3.sqlite_version}", _NOTE)


def _authorize(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY


def _steps(rows: list[tuple[int, int, int, str]]) -> Iterator[Step]:
    depths = {0: -1}
    for number, parent, _, text in rows:
        depths[number] = depths.get(parent, -1) + 1
        yield Step(depths[number], text, scan=text.startswith("SCAN ") and " USING " not in text)
