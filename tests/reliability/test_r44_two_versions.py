"""R44: two versions of the agent on one store: the older one stops with words and leaves the newer one's file alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from apm_agent.errors import StoreError
from apm_agent.store.schema import VERSION
from apm_agent.store.sqlite import SQLiteStore
from records import process, record, rows, sums_agree


def upgrade(path: Path, version: int) -> None:
    """What the next version's migration might do to a file that others write."""
    newer = sqlite3.connect(path, isolation_level=None)
    newer.execute("BEGIN IMMEDIATE")
    newer.execute("ALTER TABLE transactions ADD COLUMN energy INTEGER NOT NULL DEFAULT 0")
    newer.execute(f"PRAGMA user_version = {version}")
    newer.execute("COMMIT")
    newer.close()


def test_r44_an_agent_that_is_running_sees_a_newer_one_come(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    upgrade(path, VERSION + 1)
    before = rows(path, "PRAGMA data_version"), rows(path, "SELECT count(*), max(id) FROM transactions")
    for _ in range(2):
        with pytest.raises(
            StoreError, match=f"newer apm-agent .schema {VERSION + 1}, this one knows {VERSION}"
        ):
            store.write([record()])
        with pytest.raises(StoreError, match="Upgrade apm-agent, or set `store` to another file"):
            store.prune()
    store.close()
    assert (
        rows(path, "PRAGMA data_version"),
        rows(path, "SELECT count(*), max(id) FROM transactions"),
    ) == before


def test_r44_the_older_file_put_back_under_a_running_agent_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    upgrade(path, VERSION + 1)
    with pytest.raises(StoreError):
        store.write([record()])
    back = sqlite3.connect(path)
    back.execute("ALTER TABLE transactions DROP COLUMN energy")
    back.execute(f"PRAGMA user_version = {VERSION}")
    back.close()
    store.write([record()])
    store.close()
    assert rows(path, "SELECT count(*) FROM transactions") == [(2,)]
    assert sums_agree(path)
