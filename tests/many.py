"""A store with many transactions and their sums, made by SQL alone, and the work a question on it takes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from apm_agent.model.histogram import Histogram
from apm_agent.queries.connection import Connection
from apm_agent.store.sqlite import SQLiteStore
from records import process

ROLLUPS = (60, 3600, 86400)
_COLUMNS = (
    "id, endpoint_id, release_id, process_id, started_at, duration_ns, status, failed, method, path, overlap, queries,"
    " db_ns, http_ns, template_ns, cache_ns, wait_ns, gc_ns, share"
)
_SUMS = (
    "resolution, t, endpoint_id, release_id, count, errors, duration_ns, duration_max_ns, cpu_ns, cpu_count, queue_ns,"
    " queue_count, rss_bytes, rss_count, queries, db_ns, http_ns, template_ns, cache_ns, wait_ns, gc_ns, histogram"
)


def fill(path: Path, now: int, seconds: int, transactions: int, endpoints: int) -> None:
    """Transactions of the last `seconds`, most of the first endpoint and ever fewer of the others, of two releases."""
    store = SQLiteStore(str(path), process(), 2**32)
    store.write([], {})
    store.close()
    random = Random(4)
    begin = (now - seconds) * 10**9
    rows = []
    for number in range(transactions):
        started = begin + seconds * 10**9 * number // transactions
        endpoint = 1 + int(endpoints * random.random() ** 6)
        failed = random.random() < 0.02
        duration = int(random.lognormvariate(17, 1))
        rows.append(
            ((started >> 20) << 21 | random.getrandbits(21), endpoint, 1 + (number > transactions // 2), 1, started,
             duration, 500 if failed else 200, failed, "GET", f"/part/{number}", 0, 2, duration // 2, *[0] * 5, 1.0)
        )  # fmt: skip
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executemany(
            "INSERT INTO endpoints VALUES (?, 'shop', 'web', ?, NULL)",
            ((number, f"GET /part/{number}") for number in range(1, endpoints + 1)),
        )
        db.executemany(
            "INSERT OR REPLACE INTO releases VALUES (?, 'shop', ?, ?)",
            ((1, "one", begin), (2, "two", begin + 1)),
        )
        db.executemany(
            f"INSERT INTO transactions ({_COLUMNS}) VALUES ({', '.join('?' * len(rows[0]))})", rows
        )
        db.create_aggregate("histogram", 1, _Histogram)  # type: ignore[arg-type]
        for resolution in ROLLUPS:
            db.execute(
                f"INSERT INTO rollups ({_SUMS}) SELECT {resolution}, started_at / {resolution}000000000 * {resolution},"
                " endpoint_id, release_id, count(*), sum(failed), sum(duration_ns), max(duration_ns), 0, 0, 0, 0, 0, 0,"
                " sum(queries), sum(db_ns), 0, 0, 0, 0, 0, histogram(duration_ns) FROM transactions GROUP BY 2, 3, 4"
            )
        db.commit()


class _Histogram:
    def __init__(self) -> None:
        self._whole = Histogram()

    def step(self, duration: int) -> None:
        self._whole.add(duration)

    def finalize(self) -> bytes:
        return self._whole.to_bytes()


_STEP = 50


class Work:
    """Instructions that SQLite carried out for a connection, in units of `_STEP`, and rows that it gave."""

    def __init__(self) -> None:
        self.steps = 0

    def count(self) -> int:
        self.steps += _STEP
        return 0


@contextlib.contextmanager
def counted(connection: Connection) -> Iterator[Work]:
    """Counts the work that a connection does meanwhile."""
    work = Work()
    raw = connection._raw
    assert raw is not None
    raw.set_progress_handler(work.count, _STEP)
    yield work
    raw.set_progress_handler(None, 0)


def steps(connection: Connection, ask: Callable[[], object]) -> int:
    """Instructions that a question takes."""
    with counted(connection) as work:
        ask()
    return work.steps
