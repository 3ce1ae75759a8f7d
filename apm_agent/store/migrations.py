"""Brings a file to the current schema, whatever other processes do meanwhile."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from apm_agent.errors import StoreError
from apm_agent.store.exclusive import exclusive
from apm_agent.store.schema import CLOCKED, FAILED, FIRST, PLANNED, VERSION

if TYPE_CHECKING:
    from sqlite_utils import Database


def first(db: Database) -> None:
    """Create all tables."""
    _run(db, FIRST)


def clocked(db: Database) -> None:
    """Keep the processor time of samples beside their time."""
    _run(db, CLOCKED)


def planned(db: Database) -> None:
    """Keep the plans of statements."""
    _run(db, PLANNED)


def viewed(db: Database) -> None:
    """Make the views for people with SQL."""
    from apm_agent.store.views import views  # long texts, which a worker never needs

    for view in views():
        db.conn.execute(f"DROP VIEW IF EXISTS {view.name}")
        db.conn.execute(view.sql)


def failed(db: Database) -> None:
    """Find what failed without reading all."""
    _run(db, FAILED)


def _run(db: Database, script: str) -> None:
    # One by one, because `executescript` would commit the transaction that keeps other processes out.
    for statement in script.split(";"):
        if statement.strip():
            db.conn.execute(statement)


#: Every migration there ever was, oldest first; the number of them is `schema.VERSION`. Only ever add.
MIGRATIONS = (first, clocked, planned, viewed, failed)


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of a file; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def load(path: str) -> None:
    """Import sqlite-utils if the file at `path` will need it: a new one, or one of an older version.

    Raises `StoreError` where it cannot be imported.
    """
    try:
        with open(path, "rb") as file:
            header = file.read(64)
    except OSError:
        header = b""
    # https://www.sqlite.org/fileformat.html: the user version is big-endian, at offset 60.
    if int.from_bytes(header[60:64], "big") != VERSION:
        _sqlite_utils()


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Apply what is missing; a newer schema than ours is refused and left alone."""
    found = version_of(connection)
    if found > VERSION:
        raise StoreError(
            f"{path} was written by a newer apm-agent (schema {found}, this one knows {VERSION}). "
            "Upgrade apm-agent, or set `store` to another file"
        )
    if found == VERSION:  # the usual case; a worker then never imports sqlite-utils
        return
    # Before the file is locked: an import gives the GIL up at every file, and may wait long to get it back.
    database, migrations = _sqlite_utils()
    steps = migrations("apm_agent")
    for step in MIGRATIONS:
        steps()(step)
    with exclusive(connection):
        # `apply` reads what is pending outside of any transaction of its own: ours, around it, makes it safe.
        steps.apply(database(connection, recursive_triggers=False, execute_plugins=False))
        connection.execute(f"PRAGMA user_version = {VERSION}")
    # Into the file itself, where `load` looks for processes to come: to those it would seem a new one for as long
    # as all of this lies in the WAL, and each would import sqlite-utils. Who reads meanwhile is not waited for.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


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
