"""Records and processes as a busy application would leave them, for the tests of what keeps them."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from random import Random
from typing import Any

from apm_agent.model.insight import Insight
from apm_agent.model.profile import Frame
from apm_agent.model.record import Process, Record, SampleRecord, SpanRecord
from apm_agent.store.migrations import first

VIEW = Frame("orders", "shop.py", 7, "app", "/srv/shop.py")
PRICE = Frame("price", "shop.py", 21, "app", "/srv/shop.py")
DRIVER = Frame("execute", "driver/cursor.py", 90, "lib", "/site/driver/cursor.py")
STATEMENT = "SELECT * FROM customer WHERE id = ?"
SECOND = 10**9

_random = Random(7)


def record(name: str = "GET /orders", at: int | None = None, **fields: Any) -> Record:
    """A transaction with two queries, two samples and one insight."""
    started = time.time_ns() if at is None else at
    made: dict[str, Any] = {
        "id": (started >> 20) << 21 | _random.getrandbits(21),
        "kind": "web",
        "name": name,
        "started_at": started,
        "duration_ns": 5_000_000 + _random.randrange(20_000_000),
        "method": "GET",
        "path": "/orders",
        "status": 200,
        "cpu_ns": 2_000_000,
        "rss_before": 50_000_000,
        "rss_after": 50_004_096,
        "times": {"python": 2_000_000, "db": 3_000_000},
        "queries": 2,
        "spans": [
            SpanRecord(None, "db", "SELECT customer", at, 1_500_000, 1_500_000, STATEMENT, VIEW, None, False)
            for at in (1_000_000, 3_000_000)
        ],
        "samples": [SampleRecord(at, 1_000_000, (VIEW, PRICE, DRIVER), 0) for at in (1_000_000, 2_000_000)],
        "insights": [Insight("repeated_query", "2 identical queries", 3_000_000, 2, VIEW, STATEMENT)],
        "kept": "insight",
    }
    made.update(fields)
    return Record(**made)


def process(pid: int | None = None, **fields: Any) -> Process:
    """This process, or another one of the same host."""
    made: dict[str, Any] = {
        "service": "shop",
        "environment": "test",
        "release": "1.4.0",
        "host": "here",
        "pid": pid or os.getpid(),
        "started_at": time.time_ns(),
        "python": "3.11",
    }
    made.update(fields)
    return Process(**made)


def rows(path: str | Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What a reader of the file finds."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def sums_agree(path: str | Path) -> bool:
    """Whether every rollup level says exactly what the rows say."""
    raw = rows(
        path, "SELECT count(*), coalesce(sum(duration_ns), 0), coalesce(sum(queries), 0) FROM transactions"
    )
    for level in (60, 3600, 86400):
        rolled = rows(
            path,
            "SELECT coalesce(sum(count), 0), coalesce(sum(duration_ns), 0), coalesce(sum(queries), 0) "
            "FROM rollups WHERE resolution = ?",
            level,
        )
        if rolled != raw:
            return False
    return True


def older_file(path: str | Path) -> None:
    """A store of the first schema there was, which needs sqlite-utils to be brought up."""
    old = sqlite3.connect(path, isolation_level=None)
    first(old)
    old.execute("CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT)")
    old.execute("INSERT INTO _sqlite_migrations VALUES ('apm_agent', 'first', '2026-01-01')")
    old.execute("PRAGMA user_version = 1")
    old.close()


def prune_all(store: Any) -> None:
    """Make room until there is nothing to do: where the machine stands still a slice ends before that."""
    while store.prune():
        pass
