"""Opens the SQLite file the way every writer must."""

from __future__ import annotations

import os
import sqlite3
import time
from urllib.parse import quote

from apm_agent.model.histogram import merge_bytes
from apm_agent.store import faults
from apm_agent.store.location import prepare
from apm_agent.store.migrations import migrate, version_of

BUSY_SECONDS = 5.0


def connect(path: str, busy: float = BUSY_SECONDS, patience: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection to a current schema; makes folder, file and tables where they are missing.

    Turning on WAL, and recovering it after a crash, may answer "database is locked" at once whatever the
    timeout says, so the whole opening is tried again for `patience` seconds.
    """
    deadline = time.monotonic() + patience
    pause = 0.01
    while True:
        prepare(path)
        try:
            with faults.holding(path):
                return _opened(path, busy)
        except sqlite3.Error as error:
            if faults.kind_of(error) is not faults.LOCKED or time.monotonic() > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


def _opened(path: str, busy: float) -> sqlite3.Connection:
    prepare(path)  # again: it may have been put aside by whoever held it alone
    # The class itself: `sqlite3.connect` may be the one that times the application's own statements.
    connection = sqlite3.Connection(
        f"file:{quote(os.path.abspath(path))}?mode=rw",
        uri=True,
        timeout=busy,
        isolation_level=None,  # we say BEGIN IMMEDIATE ourselves; a deferred BEGIN loses records
        check_same_thread=False,  # `flush` may come from any thread, one at a time
        cached_statements=256,
    )
    try:
        _set_up(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, path: str) -> None:
    if version_of(connection) == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only heard before the first table
    else:
        migrate(connection, path)  # a newer schema is refused before anything of the file is changed
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 33554432")
    # KiB, of each worker: four times as much made no batch cheaper, and each worker 1.5 MiB larger.
    connection.execute("PRAGMA cache_size = -500")
    connection.create_function("histogram_merge", 2, merge_bytes, deterministic=True)
    migrate(connection, path)
