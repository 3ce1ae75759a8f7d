"""R36: nobody waits long for retention: what one hold of the file does is bounded by rows and pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

import pytest

from apm_agent.clock import Clock
from apm_agent.store import retention
from apm_agent.store.exclusive import exclusive
from apm_agent.store.holds import Hold
from apm_agent.store.log import Log
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, prune_all, record, rows

NOW = 1_790_000_000 * SECOND
MS = 10**6


class Holds:
    """What a connection did in each hold of the file: transactions deleted, blobs deleted, and pages given back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.done: list[tuple[int, int, int]] = []
        self._transactions = self._blobs = self._pages = 0
        connection.set_trace_callback(self._hear)

    def _hear(self, sql: str) -> None:
        if sql == "BEGIN IMMEDIATE":
            self._transactions = self._blobs = self._pages = 0
        elif sql.startswith("DELETE FROM transactions"):
            self._transactions += sql.count(",") + 1
        elif sql.startswith("DELETE FROM traces"):
            self._blobs += sql.count(",") + 1
        elif "incremental_vacuum" in sql:
            assert sql.endswith("(1)")
            self._pages += 1
        elif sql == "COMMIT":
            self.done.append((self._transactions, self._blobs, self._pages))


def opened(path: Path, clock: Clock, **options: int) -> tuple[SQLiteStore, sqlite3.Connection]:
    store = SQLiteStore(str(path), process(), clock=clock, **options)
    store.write([])
    connection = store._connection
    assert connection is not None
    return store, connection


def ticking(each: int) -> Clock:
    """Each look at it finds that so many ns have passed."""
    ticks = count(NOW, each)
    return Clock(lambda: next(ticks), lambda: NOW)


@pytest.mark.parametrize(
    ("took", "sizes"), [(0, [250, 500, 500]), (5 * MS, [125] * 3), (20 * MS, [62, 50, 50])]
)
def test_r36_a_hold_does_what_the_last_one_had_time_for(tmp_path: Path, took: int, sizes: list[int]) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    hold = Hold(50, 500, ticking(took))
    found = []
    assert hold.size == 125
    for _ in sizes:
        with hold.hold(connection):
            assert connection.in_transaction
        found.append(hold.size)
    assert found == sizes
    connection.close()


def test_r36_no_hold_deletes_or_moves_more_than_its_share(tmp_path: Path) -> None:
    path, wall = tmp_path / "apm.db", [NOW]
    store, connection = opened(path, Clock(lambda: wall[0], lambda: wall[0]), max_size=6 * 2**20)
    noise = Random(3)
    for _ in range(16):
        store.write([
            record(f"GET /{n % 9}", wall[0], context={"filler": noise.randbytes(400).hex()}) for n in range(400)
        ])  # fmt: skip
        wall[0] += SECOND
    full = rows(path, "PRAGMA page_count")[0][0]
    holds = Holds(connection)
    wall[0] += 120 * SECOND
    prune_all(store)
    connection.set_trace_callback(None)
    deleted, blobs, moved = zip(*holds.done, strict=True)
    assert max(deleted) == retention.ROWS[1]
    assert blobs == deleted
    assert 0 < max(moved) <= retention.PAGES[1]
    assert not any(pages and rows_too for rows_too, _, pages in holds.done)
    assert rows(path, "PRAGMA page_count")[0][0] < full
    assert rows(path, "SELECT count(*) FROM transactions")[0][0] < 6_400
    store.close()


def test_r36_large_blobs_count_by_their_pages(tmp_path: Path) -> None:
    path, wall = tmp_path / "apm.db", [NOW]
    store, connection = opened(path, Clock(lambda: wall[0], lambda: wall[0]))
    noise = Random(3)
    large = noise.randbytes(40 * 4096)
    store.write([record(at=NOW + n) for n in range(200)])
    connection.execute("UPDATE traces SET data = ?", (large,))
    wall[0] += 30 * 86_400 * SECOND
    holds = Holds(connection)
    prune_all(store)
    connection.set_trace_callback(None)
    # Each counts 41, in holds of 200, 400 and then 500.
    blobs = [found for _, found, _ in holds.done if found]
    assert blobs[:5] == [4, 9, 12, 12, 12]
    assert max(blobs) == 12
    assert rows(path, "SELECT count(*) FROM traces") == [(0,)]
    store.close()


def test_r36_of_a_file_far_too_large_the_lease_passes_on_soon(tmp_path: Path) -> None:
    """Who had it was killed in a flood; the others do not write on for a minute and a half."""
    path, wall = tmp_path / "apm.db", [NOW]
    clock = Clock(lambda: wall[0], lambda: wall[0])
    first, second = (SQLiteStore(str(path), process(n), max_size=2 * 2**20, clock=clock) for n in (1, 2))
    first.write([record(at=NOW)])
    prune_all(first)
    second.write(
        [record(f"GET /{n % 9}", NOW + 2 * n * MS, context={"filler": "x" * 900}) for n in range(3_000)]
    )
    second.prune()
    assert rows(path, "SELECT owner FROM leases")[0][0].startswith("here:1:")
    wall[0] += 11 * SECOND
    prune_all(second)
    assert rows(path, "SELECT owner FROM leases")[0][0].startswith("here:2:")
    assert rows(path, "SELECT count(*) FROM transactions")[0][0] < 3_001
    first.close()
    second.close()


def grown(path: Path) -> tuple[sqlite3.Connection, Callable[[], int]]:
    """A connection that has written a megabyte, and what asks for the size of its log."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE IF NOT EXISTS t (data BLOB)")
    connection.execute("INSERT INTO t VALUES (?)", (bytes(2**20),))
    return connection, lambda: Path(f"{path}-wal").stat().st_size


def test_r36_the_log_is_cut_at_half_its_room(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection, size = grown(path)
    Log(str(path), 32 * 2**20).cut(connection)  # it may have 4 MiB
    assert size() > 2**20
    Log(str(path), 12 * 2**20).cut(connection)
    assert size() == 0
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)
    connection.close()


def test_r36_a_reader_in_the_log_keeps_no_writer_out(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection, size = grown(path)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM t").fetchone()
    connection.execute("INSERT INTO t VALUES (?)", (bytes(2**20),))
    log = Log(str(path), 24 * 2**20)
    log.cut(connection)
    assert size() > 2 * 2**20
    writer = sqlite3.connect(path, isolation_level=None, timeout=0)
    writer.execute("INSERT INTO t VALUES (NULL)")
    reader.close()
    log.cut(connection)
    assert size() == 0
    writer.close()
    connection.close()


def test_r36_waiting_in_rounds_keeps_to_the_time_of_the_connection(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    holder, other = (sqlite3.connect(path, isolation_level=None, timeout=0.05) for _ in range(2))
    holder.execute("PRAGMA journal_mode = WAL")
    with (
        exclusive(holder),
        pytest.raises(sqlite3.OperationalError, match="is locked"),
        exclusive(other),
    ):
        pytest.fail("two of them had it")
    assert other.execute("PRAGMA busy_timeout").fetchone() == (50,)
    with exclusive(other):
        assert other.in_transaction
    holder.close()
    other.close()


def test_r36_what_many_wrote_while_one_deleted_agrees(tmp_path: Path) -> None:
    """Age takes rows from between two writes of another; sums stay those of all that was written."""
    path, wall = tmp_path / "apm.db", [NOW]
    clock = Clock(lambda: wall[0], lambda: wall[0])
    first, second = (SQLiteStore(str(path), process(n), clock=clock) for n in (1, 2))
    first.write([record(at=NOW + n) for n in range(300)])
    wall[0] += 9 * 86_400 * SECOND
    while first.prune():
        second.write([record(at=wall[0])])
    second.write([record(at=wall[0])])
    assert rows(path, "SELECT min(started_at) FROM transactions") == [(wall[0],)]
    [(kept,)] = rows(path, "SELECT count(*) FROM transactions")
    assert rows(path, "SELECT sum(count) FROM rollups WHERE resolution = 86400") == [(300 + kept,)]
    first.close()
    second.close()
