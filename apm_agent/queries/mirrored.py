"""The small steps of keeping a mirror: rows in, stretches of numbers, and away with the folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from typing import Any


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
