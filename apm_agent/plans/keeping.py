"""Puts a plan into the store's file, beside what the agents write there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import NamedTuple
from urllib.parse import quote

from apm_agent.plans.plan import Plan

#: Of one statement, and of all; the oldest go.
MOST_EACH, MOST = 20, 2_000
#: The schema that has the table: https://www.sqlite.org/pragma.html#pragma_user_version
SCHEMA = 3


class Asked(NamedTuple):
    """What a plan is of: `at` is when it was asked for, in Unix ns."""

    statement: int
    release: str
    database: str
    at: int


def keep(path: str, asked: Asked, plan: Plan) -> str | None:
    """None when the plan is kept in the store at `path`, else why it is not: it is shown all the same."""
    try:
        with closing(
            sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, isolation_level=None, timeout=2)
        ) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA:
                return "the store was made by an older apm-agent: start the application once with this one"
            connection.execute("BEGIN IMMEDIATE")
            _put(connection, (*asked, plan.server, _steps(plan), plan.note))
            connection.execute("COMMIT")
    except (sqlite3.Error, UnicodeEncodeError) as error:
        return f"the store cannot be written: {error}"
    return None


def _put(connection: sqlite3.Connection, row: tuple[object, ...]) -> None:
    connection.execute(
        "INSERT INTO plans (statement_id, release, database, at, server, steps, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    connection.execute(
        "DELETE FROM plans WHERE statement_id = ? AND id NOT IN"
        " (SELECT id FROM plans WHERE statement_id = ? ORDER BY at DESC, id DESC LIMIT ?)",
        (row[0], row[0], MOST_EACH),
    )
    connection.execute(
        "DELETE FROM plans WHERE id NOT IN (SELECT id FROM plans ORDER BY at DESC, id DESC LIMIT ?)", (MOST,)
    )


def _steps(plan: Plan) -> str:
    return json.dumps([list(each) for each in plan.steps])
