"""Holds the file alone, and no longer than the work takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from apm_agent.model.turns import SOON, turns

_WHO = "writer"


@contextmanager
def exclusive(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: committed at the end, rolled back by whatever is raised inside.

    Each call into SQLite gives the GIL up. Beside three threads that compute, getting it back took 25 ms each time and
    a batch of 50 records kept all other processes out for a second; so the GIL is asked for soon meanwhile.
    """
    connection.execute("BEGIN IMMEDIATE")  # a deferred BEGIN loses records
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
