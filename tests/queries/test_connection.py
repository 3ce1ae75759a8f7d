"""The read-only connection: what is not there, not ready, not ours or not whole."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from apm_agent.errors import QuestionError, StoreError
from apm_agent.queries import connection as module
from apm_agent.queries.connection import Connection, connect, path_of
from apm_agent.queries.damage import TooSlowError
from apm_agent.queries.endpoints import endpoints
from apm_agent.queries.pool import Pool
from apm_agent.queries.window import of_range
from apm_agent.store import schema
from make_store import make


def test_the_schemas_of_both_wings_are_one() -> None:
    assert module.SCHEMA == schema.VERSION


def test_no_file_is_an_empty_store(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/no/apm.db") as connection:
        assert connection.empty
        assert endpoints(connection, of_range("1h"))["endpoints"] == []
    assert not (tmp_path / "no").exists()


def test_a_file_without_tables_is_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "apm.db").touch()
    with connect(f"sqlite:///{tmp_path}/apm.db") as connection:
        assert connection.empty


@pytest.mark.parametrize("url", ["", "apm.db", "mysql://x/y", "sqlite://", "sqlite:///", "sqlite:///a\x00b"])
def test_urls_that_name_no_file_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///"):
        path_of(url)


def test_r44_a_newer_schema_is_refused_with_words_and_not_touched(day: Path, tmp_path: Path) -> None:
    copy = tmp_path / "apm.db"
    with sqlite3.connect(day) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    source.close()
    target.close()
    before = copy.read_bytes()
    with pytest.raises(StoreError, match="upgrade apm-agent"):
        connect(f"sqlite:///{copy}")
    assert copy.read_bytes() == before


def test_rubbish_is_named_as_damage(tmp_path: Path) -> None:
    (tmp_path / "apm.db").write_bytes(b"not a database at all, but long enough to look like one" * 100)
    with pytest.raises(StoreError, match="damaged"):
        connect(f"sqlite:///{tmp_path}/apm.db")


def test_nothing_can_be_written(connection: Connection) -> None:
    with pytest.raises(StoreError, match="readonly"):
        connection.rows("DELETE FROM transactions")


def test_a_long_question_is_stopped(connection: Connection) -> None:
    endless = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    connection._deadline = 0.0
    with pytest.raises(TooSlowError, match="shorter range"):
        connection.rows(endless)
    connection.renew()
    assert connection.rows("SELECT 1") == [(1,)]


def test_r39_numbers_and_texts_sqlite_cannot_hold_are_refused(connection: Connection) -> None:
    with pytest.raises(QuestionError):
        connection.rows("SELECT ?", (1 << 80,))
    with pytest.raises(QuestionError):
        connection.rows("SELECT ?", ("\udc80",))


def test_a_store_deleted_and_made_anew_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    pool = Pool(f"sqlite:///{path}")

    def count() -> int:
        with pool.session() as connection:
            return (
                int(connection.rows("SELECT count(*) FROM transactions")[0][0]) if not connection.empty else 0
            )

    assert count() == 0
    make(path, 40, hours=1)
    assert count() == 40
    for name in ("apm.db", "apm.db-wal", "apm.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    make(path, 8, hours=1)
    assert count() == 8
    pool.close()


def test_a_pool_that_nobody_holds_lets_go_of_the_file(day: Path) -> None:
    """On Python 3.13 and later, dropped and not closed would be a warning, which fails this."""
    pool = Pool(f"sqlite:///{day}")
    with pool.session() as connection:
        raw = connection._raw
    assert raw is not None
    del pool, connection
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        raw.execute("SELECT 1")


def test_a_store_in_a_folder_one_may_not_write_is_read(day: Path, tmp_path: Path) -> None:
    """As another user: root may write anywhere."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    shutil.copy(day, folder / "apm.db")
    for at in (folder, *folder.parents):
        if at.is_relative_to("/tmp"):
            os.chmod(at, 0o755)
    (folder / "apm.db").chmod(0o444)
    folder.chmod(0o555)
    code = (
        "import os, sys\n"
        "from apm_agent.queries.connection import connect\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        f"with connect('sqlite:///{folder}/apm.db') as c: print(c.rows('SELECT count(*) FROM "
        "transactions')[0][0])\n"
    )
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    with connect(f"sqlite:///{day}") as opened:
        assert int(done.stdout) == opened.rows("SELECT count(*) FROM transactions")[0][0]
