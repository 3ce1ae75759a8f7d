"""R44: files of every schema there was are opened and written; a newer one is refused and left as it is."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from apm_agent.errors import StoreError
from apm_agent.store.migrations import MIGRATIONS, first, load, migrate
from apm_agent.store.schema import VERSION
from apm_agent.store.sqlite import SQLiteStore
from records import older_file, process, record, rows


def test_each_schema_is_a_migration() -> None:
    assert len(MIGRATIONS) == VERSION


def test_r44_a_new_file_has_the_schema_and_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]
    assert rows(path, "PRAGMA auto_vacuum") == [(2,)]
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    store.close()
    assert rows(path, "SELECT migration_set, name FROM _sqlite_migrations ORDER BY name DESC") == [
        ("apm_agent", "viewed"), ("apm_agent", "planned"), ("apm_agent", "first"), ("apm_agent", "failed"),
        ("apm_agent", "counted"), ("apm_agent", "clocked"),
    ]  # fmt: skip


def test_r44_a_newer_schema_is_refused_with_words_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    newer = sqlite3.connect(path)
    newer.execute("CREATE TABLE transactions (id INTEGER PRIMARY KEY, warp REAL)")
    newer.execute(f"PRAGMA user_version = {VERSION + 2}")
    newer.commit()
    newer.close()
    before = path.read_bytes()
    store = SQLiteStore(str(path), process())
    with pytest.raises(StoreError, match=f"newer apm-agent .schema {VERSION + 2}, this one knows {VERSION}"):
        store.write([record()])
    with pytest.raises(StoreError, match="Upgrade apm-agent"):
        store.prune()
    store.close()
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["apm.db", "apm.db.lock"]


def test_r44_a_current_file_is_opened_without_sqlite_utils(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    first = SQLiteStore(str(path), process())
    first.write([record()])
    first.close()
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from records import process, record
from apm_agent.store.sqlite import SQLiteStore
store = SQLiteStore({str(path)!r}, process())
store.write([record()])
store.close()
sys.exit("sqlite_utils" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_r34_looking_at_the_version_gives_up_no_lock(tmp_path: Path) -> None:
    """A process without its locks seems gone: who closes the file next deletes the log that it still writes to."""
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    load(str(path))
    other = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('DELETE FROM meta'); c.commit(); c.close()"
    subprocess.run([sys.executable, "-c", other], check=True, timeout=30)
    assert (tmp_path / "apm.db-wal").exists()
    store.write([record()])
    store.close()
    assert rows(path, "SELECT count(*) FROM transactions") == [(2,)]


def test_r44_a_file_made_plainly_is_the_one_that_sqlite_utils_makes(tmp_path: Path) -> None:
    """Without sqlite-utils, for that imports pandas where it is installed, and stays in the worker."""
    (tmp_path / "sqlite_utils.py").write_text("raise SystemExit('sqlite-utils was imported')")
    plainly, by = tmp_path / "plainly.db", tmp_path / "by.db"
    script = f"""
import sys
sys.path[:0] = {[str(tmp_path), *sys.path]!r}
from records import process, record
from apm_agent.store.sqlite import SQLiteStore
store = SQLiteStore({str(plainly)!r}, process())
store.write([record()])
store.close()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    connection = sqlite3.connect(by, isolation_level=None)
    steps = Migrations("apm_agent")
    for step in MIGRATIONS:
        steps(name=step.__name__)(lambda db, step=step: step(db.conn))
    steps.apply(Database(connection))
    connection.close()

    def made(path: Path) -> tuple[list[Any], list[Any]]:
        tables = rows(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
        noted = rows(path, "SELECT id, migration_set, name FROM _sqlite_migrations ORDER BY id")
        return [(*each[:3], each[3] and "".join(each[3].split())) for each in tables], noted

    assert made(plainly) == made(by)
    assert rows(plainly, "PRAGMA user_version") == [(VERSION,)]


def test_r44_a_file_that_another_version_makes_meanwhile_is_not_called_current(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def make() -> str:
        connection = sqlite3.connect(path, isolation_level=None, timeout=20)
        try:
            migrate(connection, str(path))
        except StoreError as error:
            return str(error)
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor() as pool:
        made = pool.submit(make)
        time.sleep(0.5)  # it has read the version by then, and waits for the file
        first(other)
        other.execute("PRAGMA user_version = 1")
        other.execute("COMMIT")
        assert "made meanwhile with schema 1" in made.result(30)
    other.close()
    assert rows(path, "PRAGMA user_version") == [(1,)]


def test_r44_a_file_of_the_first_schema_is_brought_up_and_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    older_file(path)
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("INSERT INTO profiles VALUES (600, 0, 1, 1, 5, 0, 2, 20)")
    old.close()
    store = SQLiteStore(str(path), process())
    store.write([record()])
    store.close()
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]
    assert rows(path, "SELECT weight_ns, cpu_ns, clocked_ns FROM profiles WHERE t = 0") == [(20, 0, 0)]


def test_details_are_counted_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record(), record()])
    store.close()
    (plan,) = rows(path, "EXPLAIN QUERY PLAN SELECT count(*) FROM traces")
    assert plan[-1] == "SCAN traces USING COVERING INDEX traces_ids"
    (plan,) = rows(path, "EXPLAIN QUERY PLAN SELECT data FROM traces WHERE transaction_id = 1")
    assert "PRIMARY KEY" in plan[-1]
    assert rows(path, "SELECT count(*) FROM traces") == [(2,)]
