"""The small steps of keeping a mirror: rows in, numbers for ids, stretches of numbers, and away with the folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from typing import Any


class Numbers:
    """The numbers by which a mirror knows endpoints, releases and processes: their ids on the server are hashes."""

    NAMES = ("endpoints", "releases", "processes")

    def __init__(self) -> None:
        self._near: dict[str, dict[int, int]] = {name: {} for name in self.NAMES}
        self._far: dict[str, list[int]] = {name: [] for name in self.NAMES}

    def give(self, name: str, far: int) -> int:
        """The number of an id, a new one where it has none."""
        known = self._near[name]
        if far not in known:
            known[far] = len(known) + 1
            self._far[name].append(far)
        return known[far]

    def near(self, name: str, far: int) -> int:
        """The number of an id; 0 where it has none."""
        return self._near[name].get(far, 0)

    def far(self, name: str, near: int) -> int | None:
        """The id of a number."""
        known = self._far[name]
        return known[near - 1] if 0 < near <= len(known) else None

    def placed(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of the server with our numbers in it."""
        row["endpoint_id"] = self.near("endpoints", row["endpoint_id"])
        row["release_id"] = self.near("releases", row["release_id"])
        return row


def put(raw: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or put them in the place of those with their key."""
    if not rows:
        return
    names = list(rows[0])
    sql = f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({','.join('?' * len(names))})"
    raw.execute("BEGIN")
    try:
        raw.executemany(sql, [tuple(row.values()) for row in rows])
    except BaseException:
        raw.execute("ROLLBACK")
        raise
    raw.execute("COMMIT")


def remove(folder: str, pid: int) -> None:
    """Delete a folder, in the process that made it."""
    if os.getpid() == pid:  # a child's end takes nothing away from its parent
        shutil.rmtree(folder, True)


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """[3, 4, 5, 9] as [(3, 6), (9, 10)]."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found
