"""The windows of the rollup tables: how long each is kept, which goes first, how they are deleted in parts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from apm_agent.store.holds import Hold

_DAY = 86_400
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
#: What the rows of one resolution are told apart by, in their order.
_KEYS = {
    "rollups": ("t", "endpoint_id", "release_id"),
    "statement_rollups": ("t", "endpoint_id", "release_id", "statement_id", "frame_id"),
    "insight_rollups": ("t", "endpoint_id", "release_id", "kind", "statement_id", "frame_id"),
    "profiles": ("t", "endpoint_id", "release_id", "stack_id", "state"),
}


def delete_before(
    connection: sqlite3.Connection, table: str, resolution: int, horizon: int, hold: Hold
) -> Iterator[bool]:
    """Delete the rows of windows that began before a time, oldest first."""
    while delete_some(connection, table, resolution, horizon, hold):
        yield True


def oldest_of(connection: sqlite3.Connection, table: str, resolution: int) -> int | None:
    """When its oldest window began; None when there is none."""
    found = connection.execute(f"SELECT min(t) FROM {table} WHERE resolution = ?", (resolution,)).fetchone()[
        0
    ]
    return None if found is None else int(found)


def delete_some(
    connection: sqlite3.Connection, table: str, resolution: int, horizon: int, hold: Hold
) -> bool:
    """Delete the oldest rows of windows that began before a time, as many as a hold may; False when there are none."""
    oldest = oldest_of(connection, table, resolution)
    if oldest is None or oldest >= horizon:
        return False
    # Chosen before anybody has to wait. Rows that come meanwhile, late, are few.
    keys = _KEYS[table]
    where, named = "resolution = ? AND t < ?", ", ".join(keys)
    further = connection.execute(
        f"SELECT {named} FROM {table} WHERE {where} ORDER BY {named} LIMIT 1 OFFSET ?",
        (resolution, horizon, hold.size),
    ).fetchone()
    values: tuple[Any, ...] = (resolution, horizon)
    if further is not None:
        where, values = (
            f"resolution = ? AND ({named}) < ({', '.join('?' * len(keys))})",
            (resolution, *further),
        )
    with hold.hold(connection):
        connection.execute(f"DELETE FROM {table} WHERE {where}", values)
    return True
