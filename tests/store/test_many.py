"""Many rows with few calls into SQLite, because each call gives the GIL up while the file is locked."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from apm_agent.errors import StoreError
from apm_agent.store import load, open_store
from apm_agent.store.many import delete, insert
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, older_file, process, record, rows, sums_agree

UPSERT = "INSERT INTO t (k, n) VALUES (?,?) ON CONFLICT (k) DO UPDATE SET n = n + excluded.n"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.Connection(":memory:")) as made:
        yield made


@pytest.mark.parametrize("count", [0, 1, 2, 3, 449, 450, 451, 1500])
def test_each_row_is_inserted_once_and_deleted_once(connection: sqlite3.Connection, count: int) -> None:
    connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER)")
    for _ in range(2):
        insert(connection, UPSERT, [(number, number + 1) for number in range(count)])
    found = connection.execute("SELECT k, n FROM t ORDER BY k").fetchall()
    assert found == [(number, 2 * number + 2) for number in range(count)]
    delete(connection, "t", "n > 4 AND k", [(number,) for number in range(0, count, 2)])
    left = connection.execute("SELECT k FROM t ORDER BY k").fetchall()
    assert left == [(number,) for number in range(count) if number % 2 or number < 2]


def test_one_key_twice_in_a_batch_is_added_up(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER)")
    insert(connection, UPSERT, [(1, 10), (2, 5), (1, 1)])
    assert connection.execute("SELECT * FROM t").fetchall() == [(1, 11), (2, 5)]


def test_r36_a_batch_is_few_statements(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'apm.db'}", process())
    assert isinstance(store, SQLiteStore)
    first = record()
    store.write([first])
    said: list[str] = []
    assert store._connection is not None
    store._connection.set_trace_callback(said.append)
    store.write([record("GET /", first.started_at + number * SECOND) for number in range(500)])
    begin, end = said.index("BEGIN IMMEDIATE"), said.index("COMMIT")
    assert end - begin < 70
    store.close()
    assert rows(tmp_path / "apm.db", "SELECT count(*) FROM transactions") == [(501,)]
    assert sums_agree(tmp_path / "apm.db")


def test_r04_what_an_older_file_needs_is_imported_before_any_thread_of_ours_runs(tmp_path: Path) -> None:
    def loaded() -> str:
        code = (
            "import sys\n"
            "from apm_agent.store import load\n"
            f"load('sqlite:///{tmp_path / 'apm.db'}')\n"
            "print('apm_agent.store.sqlite' in sys.modules, 'sqlite_utils.migrations' in sys.modules)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    older_file(tmp_path / "apm.db")
    assert loaded() == "True True"
    store = open_store(f"sqlite:///{tmp_path / 'apm.db'}", process())
    store.write([record()])
    store.close()
    assert loaded() == "True False"


def test_a_store_of_no_known_kind_is_refused() -> None:
    with pytest.raises(StoreError, match=r"no store for 'redis:///x'"):
        load("redis:///x")
