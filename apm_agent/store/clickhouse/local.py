"""Rows of the local store as the tables in ClickHouse have them; read-only, a statement at a time."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from apm_agent.clickhouse.tables import (
    DICTIONARIES,
    TRANSACTIONS,
    WINDOWED,
    Table,
)
from apm_agent.errors import StoreError
from apm_agent.model.histogram import Histogram

Row = tuple[Any, ...]
_MINUTE_NS = 60 * 10**9
_AMONG = "{} IN (SELECT value FROM json_each(?))"


def identity(path: str) -> str:
    """Tells this file from one that lay there before."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise StoreError(f"the store {path} cannot be read: {error.strerror or error}") from error
    return f"{found.st_dev}:{found.st_ino}"


class Local:
    """The local file, open for reading."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.identity = identity(path)
        self._raw = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None, timeout=5)
        self._raw.text_factory = lambda data: data.decode("utf-8", "replace")
        self._services: dict[int, str] = {}
        self._ids: dict[str, dict[int, int]] = {}

    def close(self) -> None:
        self._raw.close()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a statement."""
        try:
            return self._raw.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the store {self.path} cannot be read: {error}") from error

    def schema(self) -> tuple[int, list[str]]:
        """The version of the local tables, and how they are made: readers make the same."""
        rows = self.rows(
            "SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
            " AND name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE '\\_sqlite%' ESCAPE '\\'"
        )
        return int(self.rows("PRAGMA user_version")[0][0]), [row[0] for row in rows]

    def endpoints(self) -> list[Row]:
        """Endpoints, by the hash of what they are."""
        rows = self.rows("SELECT id, service, kind, name, view FROM endpoints")
        self._services = {row[0]: row[1] for row in rows}
        self._ids["endpoint"] = {row[0]: hashed(row[1], row[2], row[3]) for row in rows}
        return [(self._ids["endpoint"][row[0]], row[0], *row[2:], row[1]) for row in rows]

    def releases(self) -> list[Row]:
        """Releases, likewise."""
        rows = self.rows("SELECT id, service, version, first_seen FROM releases")
        self._ids["release"] = {row[0]: hashed(row[1], row[2]) for row in rows}
        return [(self._ids["release"][row[0]], row[0], row[2], row[3], row[1]) for row in rows]

    def processes(self, seen_since: int) -> list[Row]:
        """Processes that wrote since; all of them get their hash."""
        rows = self.rows("SELECT id, host, pid, started_at FROM processes")
        self._ids["process"] = {row[0]: hashed(*map(str, row[1:])) for row in rows}
        rows = self.rows(
            "SELECT id, id, release_id, pid, started_at, last_seen, environment, python, server, app_root, rss, state,"
            " service, host FROM processes WHERE last_seen > ?",
            (seen_since,),
        )
        ids, releases = self._ids["process"], self._ids["release"]
        return [(ids.get(row[0], 0), row[1], releases.get(row[2], 0), *row[3:]) for row in rows]

    def dictionary(self, name: str, since_day: int) -> list[tuple[int, int]]:
        """(id, day) of entries used since that day."""
        return [
            (row[0], row[1]) for row in self.rows(f"SELECT id, day FROM {name} WHERE day >= ?", (since_day,))
        ]

    def entries(self, name: str, ids: Sequence[int]) -> list[Row]:
        """Entries of a dictionary."""
        columns = ", ".join(column.name for column in DICTIONARIES[name].columns)
        rows = self.rows(f"SELECT {columns} FROM {name} WHERE {_AMONG.format('id')}", (_list(ids),))
        if name == "stacks":
            return [(*row[:-1], list(memoryview(row[-1]).cast("q"))) for row in rows]
        return rows

    def counted(self, resolution: int, since: int) -> dict[int, int]:
        """How many transactions each window has, by the rollups."""
        sql = "SELECT t, sum(count) FROM rollups WHERE resolution = ? AND t >= ? GROUP BY t ORDER BY t"
        return {row[0]: row[1] for row in self.rows(sql, (resolution, since))}

    def oldest(self) -> int | None:
        """When the oldest transaction that is still there began."""
        found: int | None = self.rows("SELECT min(started_at) FROM transactions")[0][0]
        return found

    def of_minute(self, t: int) -> list[int]:
        """Ids of the transactions of a minute, oldest first."""
        begin = t * 10**9
        return [
            row[0]
            for row in self.rows(
                "SELECT id FROM transactions WHERE started_at >= ? AND started_at < ? ORDER BY started_at",
                (begin, begin + _MINUTE_NS),
            )
        ]

    def transactions(self, ids: Sequence[int]) -> list[Row]:
        """Rows of transactions, and the service of each."""
        columns = ", ".join(column.name for column in TRANSACTIONS.columns)
        rows = self.rows(f"SELECT {columns} FROM transactions WHERE {_AMONG.format('id')}", (_list(ids),))
        endpoints, releases, processes = (self._ids[name] for name in ("endpoint", "release", "process"))
        return [
            (
                row[0], endpoints[row[1]], releases.get(row[2], 0), processes.get(row[3], 0), *row[4:],
                self._services[row[1]],
            )
            for row in rows
            if row[1] in endpoints
        ]  # fmt: skip

    def traces(self, ids: Sequence[int]) -> list[Row]:
        """What single transactions did, packed, and the service of each."""
        rows = self.rows(
            "SELECT t.transaction_id, x.started_at, t.data, x.endpoint_id FROM traces t"
            f" JOIN transactions x ON x.id = t.transaction_id WHERE {_AMONG.format('t.transaction_id')}",
            (_list(ids),),
        )
        return [(*row[:3], self._services.get(row[3], "")) for row in rows]

    def windows(self, name: str, resolution: int, times: Sequence[int]) -> Iterator[list[Row]]:
        """The rows of whole windows of a rollup table, a window at a time."""
        table = WINDOWED[name]
        local = ["histogram" if each.name == "buckets" else each.name for each in table.columns]
        columns = ", ".join(each for each in local if each != "counts")
        for t in times:
            sql = f"SELECT {columns} FROM {name} WHERE resolution = ? AND t = ?"
            yield [self._windowed(table, row) for row in self.rows(sql, (resolution, t))]

    def _windowed(self, table: Table, row: Row) -> Row:
        endpoint, release = self._ids["endpoint"].get(row[2], 0), self._ids["release"].get(row[3], 0)
        rest = row[4:]
        if table.name == "rollups":
            counts = Histogram.from_bytes(rest[-1]).counts
            rest = (*rest[:-1], list(counts), list(counts.values()))
        return (*row[:2], endpoint, release, *rest, self._services.get(row[2], ""))


def hashed(*texts: str) -> int:
    """63 bits of what something is, the same on every machine."""
    digest = hashlib.blake2b("\x1f".join(texts).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _list(ids: Sequence[int]) -> str:
    return json.dumps(list(ids))
