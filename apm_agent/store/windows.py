"""The windows of the rollup tables: how long each is kept, which goes first, how one is deleted in parts."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator

from apm_agent.store.exclusive import exclusive

_DAY = 86_400
#: Rows deleted in one hold of the lock.
_MOST_ROWS = 1_000
#: (table, resolution) → how many seconds back its windows are kept
AGES = {
    ("rollups", 60): 8 * _DAY,
    ("rollups", 3600): 90 * _DAY,
    ("rollups", 86400): 730 * _DAY,
    ("statement_rollups", 60): 8 * _DAY,
    ("statement_rollups", 3600): 90 * _DAY,
    ("statement_rollups", 86400): 730 * _DAY,
    ("insight_rollups", 60): 8 * _DAY,
    ("insight_rollups", 3600): 90 * _DAY,
    ("insight_rollups", 86400): 730 * _DAY,
    ("profiles", 600): 2 * _DAY,
    ("profiles", 3600): 14 * _DAY,
    ("profiles", 86400): 90 * _DAY,
}
#: When the file is too large, whatever is oldest for its kind goes: as a share of the age it may have, times this. So
#: all of it reaches less far back, the fine first and the coarse, which says the same in less room, by far the least.
#: Without it what is kept for months would in time leave no room for any transaction.
FADES = {
    ("statement_rollups", 60): 2.0,
    ("insight_rollups", 60): 2.0,
    ("profiles", 600): 1.0,
    ("profiles", 3600): 1.0,
    ("profiles", 86400): 0.5,
    ("statement_rollups", 3600): 0.3,
    ("insight_rollups", 3600): 0.3,
    ("statement_rollups", 86400): 0.15,
    ("insight_rollups", 86400): 0.15,
    ("rollups", 60): 0.1,
    ("rollups", 3600): 0.1,
}
#: What the rows of one window are told apart by, finely enough to delete few at a time.
_KEYS = {
    "rollups": "endpoint_id, release_id",
    "statement_rollups": "endpoint_id, release_id, statement_id",
    "insight_rollups": "endpoint_id, release_id, kind",
    "profiles": "endpoint_id, release_id, stack_id",
}


def delete_before(
    connection: sqlite3.Connection, table: str, resolution: int, horizon: int
) -> Iterator[bool]:
    """Delete the windows of a rollup table that began before a time, oldest first."""
    while True:
        oldest = oldest_of(connection, table, resolution)
        if oldest is None or oldest >= horizon:
            return
        delete_oldest(connection, table, resolution)
        yield True


def oldest_of(connection: sqlite3.Connection, table: str, resolution: int) -> int | None:
    """When its oldest window began; None when there is none."""
    found = connection.execute(f"SELECT min(t) FROM {table} WHERE resolution = ?", (resolution,)).fetchone()[
        0
    ]
    return None if found is None else int(found)


def delete_oldest(connection: sqlite3.Connection, table: str, resolution: int) -> None:
    """Delete the oldest window, or some of it where it has many rows."""
    keys = _KEYS[table]
    with exclusive(connection):
        started = time.monotonic()
        oldest = oldest_of(connection, table, resolution)
        window = "resolution = ? AND t = ?"
        further = connection.execute(
            f"SELECT {keys} FROM {table} WHERE {window} ORDER BY {keys} LIMIT 1 OFFSET ?",
            (resolution, oldest, _MOST_ROWS),
        ).fetchone()
        if further is None:
            connection.execute(f"DELETE FROM {table} WHERE {window}", (resolution, oldest))
        else:
            # At least the first key goes, even of one that has more rows than this itself.
            first = connection.execute(
                f"SELECT {keys} FROM {table} WHERE {window} ORDER BY {keys} LIMIT 1", (resolution, oldest)
            ).fetchone()
            compared = "<" if further > first else "<="
            marks = ", ".join("?" * len(further))
            connection.execute(
                f"DELETE FROM {table} WHERE {window} AND ({keys}) {compared} ({marks})",
                (resolution, oldest, *further),
            )
    time.sleep(min(time.monotonic() - started, 0.05))  # let those in who waited
