"""Holds the file alone, and no longer than the work takes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from apm_agent.model.turns import SOON, turns

_WHO = "writer"
#: Milliseconds. SQLite waits 1, 2, 5, 10 ms between two looks, and 100 in the end: who waited longest would come last.
#: Begun anew each round it looks each 10 ms at least, so whoever lets go for that long lets all in who wait.
_ROUND = 20
#: Seconds between two looks of whoever waits, at most.
LOOKS = 0.01


@contextmanager
def exclusive(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: committed at the end, rolled back by whatever is raised inside.

    Waits for it as long as the connection's `busy_timeout` says. Each call into SQLite gives the GIL up. Beside three
    threads that compute, getting it back took 25 ms each time and a batch of 50 records kept all other processes out
    for a second; so the GIL is asked for soon meanwhile.
    """
    _begin(connection)
    turns.wish(_WHO, SOON)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have rolled back already
            connection.execute("ROLLBACK")
        raise
    finally:
        turns.done(_WHO)


def _begin(connection: sqlite3.Connection) -> None:
    patience = int(connection.execute("PRAGMA busy_timeout").fetchone()[0])
    if patience <= _ROUND:
        connection.execute("BEGIN IMMEDIATE")  # a deferred BEGIN loses records
        return
    deadline = time.monotonic() + patience / 1000
    connection.execute(f"PRAGMA busy_timeout = {_ROUND}").fetchall()
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if "is locked" not in str(error) or time.monotonic() >= deadline:
                    raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}").fetchall()
