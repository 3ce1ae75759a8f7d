"""The write-ahead log stays within its room, also where several wait for their turn to write."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from apm_agent.store.sqlite import SQLiteStore
from records import process, record, rows

MAX_SIZE = 8 * 2**20


def test_who_waited_while_the_log_filled_up_cuts_it_before_writing(tmp_path: Path) -> None:
    path, log = tmp_path / "apm.db", tmp_path / "apm.db-wal"
    store = SQLiteStore(str(path), process(), MAX_SIZE)
    store.write([record()])
    waiting = threading.Thread(target=store.write, args=([record()],))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA wal_autocheckpoint = 0")
        other.execute("BEGIN IMMEDIATE")
        waiting.start()
        time.sleep(0.2)  # it has asked for its turn by now; were it later, it would find the same
        other.execute("CREATE TABLE ballast AS SELECT zeroblob(?) AS data", (MAX_SIZE // 8,))
        other.execute("COMMIT")
        filled = log.stat().st_size
        waiting.join(20)
        assert filled > MAX_SIZE // 8
        assert 0 < log.stat().st_size < filled // 4  # its own batch alone
    store.close()
    assert rows(path, "SELECT count(*) FROM transactions") == [(2,)]
