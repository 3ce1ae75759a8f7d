"""Brings a file to the current schema, whatever other processes do meanwhile."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from apm_agent.errors import StoreError
from apm_agent.store.exclusive import exclusive
from apm_agent.store.schema import CLOCKED, COUNTED, FAILED, FIRST, PLANNED, VERSION

_SET = "apm_agent"
#: The table in which sqlite-utils notes what was applied, as its versions 4 make it.
_NOTES = """
CREATE TABLE "_sqlite_migrations" ("id" INTEGER PRIMARY KEY, "migration_set" TEXT, "name" TEXT, "applied_at" TEXT);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name" ON "_sqlite_migrations" ("migration_set", "name")
"""


def first(connection: sqlite3.Connection) -> None:
    """Create all tables."""
    _run(connection, FIRST)


def clocked(connection: sqlite3.Connection) -> None:
    """Keep the processor time of samples beside their time."""
    _run(connection, CLOCKED)


def planned(connection: sqlite3.Connection) -> None:
    """Keep the plans of statements."""
    _run(connection, PLANNED)


def viewed(connection: sqlite3.Connection) -> None:
    """Make the views for people with SQL."""
    from apm_agent.store.views import views  # long texts, which a worker never needs

    for view in views():
        connection.execute(f"DROP VIEW IF EXISTS {view.name}")
        connection.execute(view.sql)


def failed(connection: sqlite3.Connection) -> None:
    """Find what failed without reading all."""
    _run(connection, FAILED)


def counted(connection: sqlite3.Connection) -> None:
    """Know how many details there are without going through them."""
    _run(connection, COUNTED)


def _run(connection: sqlite3.Connection, script: str) -> None:
    # One by one, because `executescript` would commit the transaction that keeps other processes out.
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)


#: Every migration there ever was, oldest first; the number of them is `schema.VERSION`. Only ever add.
MIGRATIONS = (first, clocked, planned, viewed, failed, counted)


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of a file; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def load(path: str) -> None:
    """Import sqlite-utils if `migrate` of the file at `path` will need it.

    Raises `StoreError` where it cannot be imported.
    """
    found = 0
    # By SQLite, and not by `open`: to close a file of one's own gives up all locks this process has on it, those of
    # connections that are open too, and other processes then take the log away from under them
    # (https://www.sqlite.org/howtocorrupt.html, 2.2). Immutable: of the file alone, whoever has it locked.
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.Connection(f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1", uri=True)
        try:
            found = version_of(connection)
        finally:
            connection.close()
    if found not in (0, VERSION):
        _sqlite_utils()


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Apply what is missing; a newer schema than ours is refused and left alone."""
    found = version_of(connection)
    if found > VERSION:
        raise StoreError(
            f"{path} was written by a newer apm-agent (schema {found}, this one knows {VERSION}). "
            "Upgrade apm-agent, or set `store` to another file"
        )
    if found == VERSION:  # the usual case
        return
    # A worker that makes a new file would keep sqlite-utils and what that brings for as long as it runs: 1.2 MiB, and
    # with pandas installed 100. Before the file is locked: an import gives the GIL up at every file, and may wait long
    # to get it back.
    apply = _by_sqlite_utils() if found else _plainly
    with exclusive(connection):
        apply(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    # Into the file itself, where `load` looks for processes to come: to those it would seem a new one for as long
    # as all of this lies in the WAL, and each would import sqlite-utils. Who reads meanwhile is not waited for.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _by_sqlite_utils() -> Callable[[sqlite3.Connection], None]:
    database, migrations = _sqlite_utils()

    def apply(connection: sqlite3.Connection) -> None:
        db = database(connection, recursive_triggers=False, execute_plugins=False)
        steps = migrations(_SET)
        for step in MIGRATIONS:
            steps(name=step.__name__)(lambda _db, step=step: step(connection))
        # `apply` reads what is pending outside of any transaction of its own: ours, around it, makes it safe.
        steps.apply(db)

    return apply


def _plainly(connection: sqlite3.Connection) -> None:
    """Make a new file as sqlite-utils makes it."""
    # Another process may have made the tables since `found` was read; this one holds the file alone.
    made = version_of(connection)
    if made == VERSION:
        return
    if made:  # by another version of ours; who tries again finds it so
        raise StoreError(
            f"the store was made meanwhile with schema {made}, this agent's is {VERSION}: tried again"
        )
    _run(connection, _NOTES)
    for step in MIGRATIONS:
        step(connection)
        row = (_SET, step.__name__, str(datetime.datetime.now(datetime.timezone.utc)))
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)", row
        )


def _sqlite_utils() -> tuple[Any, Any]:
    # The one library on the way of what an application records: it may be missing, or of a version that raises
    # whatever it likes, and then this is a store that cannot be used like any other.
    try:
        from sqlite_utils import Database
        from sqlite_utils.migrations import Migrations
    except Exception as error:
        raise StoreError(
            f"sqlite-utils, which makes the store's tables, cannot be imported: {type(error).__name__}: {error}; "
            "the application goes on and nothing is recorded. Cure: pip install 'sqlite-utils>=4.0'"
        ) from error
    return Database, Migrations
