"""Inserts or deletes many rows with one call into SQLite.

Each step of a statement gives the GIL up, and among threads that compute the writer waits 5 ms and more for each of
them to get it back, with the file locked meanwhile. `executemany` takes a step a row, one statement for many rows one
for all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

#: Placeholders a statement may have; older SQLite allows 999.
_MOST_VALUES = 900


def insert(connection: sqlite3.Connection, sql: str, rows: Collection[Sequence[Any]]) -> None:
    """Run ``INSERT … VALUES (?,…) …`` for all rows, inside the caller's transaction."""
    ready = list(rows)
    if not ready:
        return
    done, most = 0, _MOST_VALUES // len(ready[0])
    while done < len(ready):
        # Powers of two: few different statements, and SQLite keeps them all prepared.
        count = 1 << (min(len(ready) - done, most).bit_length() - 1)
        connection.execute(_repeated(sql, count), tuple(chain.from_iterable(ready[done : done + count])))
        done += count


def delete(connection: sqlite3.Connection, table: str, where: str, ids: Sequence[tuple[int]]) -> None:
    """Delete the rows ``WHERE {where} IN (…)``."""
    for at in range(0, len(ids), _MOST_VALUES):
        chosen = tuple(chain.from_iterable(ids[at : at + _MOST_VALUES]))
        connection.execute(f"DELETE FROM {table} WHERE {where} IN ({','.join('?' * len(chosen))})", chosen)


@lru_cache(200)
def _repeated(sql: str, count: int) -> str:
    head, _, tail = sql.partition(" VALUES ")
    row, end, rest = tail.partition(")")
    return f"{head} VALUES {','.join([row + end] * count)}{rest}"
