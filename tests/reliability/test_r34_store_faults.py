"""R34: whatever happens to the store's file, writing goes on as soon as it can."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apm_agent.errors import StoreError
from apm_agent.store import faults
from apm_agent.store.sqlite import SQLiteStore
from records import process, prune_all, record, rows, sums_agree

root_only = pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def many(count: int, size: int = 0) -> list[object]:
    return [
        record(f"GET /{n % 7}", context={"filler": os.urandom(size).hex()} if size else None)
        for n in range(count)
    ]


def test_r34_a_locked_file_is_waited_for_and_then_said(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process(), busy=0.1)
    store.write([record()])
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked"):
        store.write([record()])
    holder.execute("ROLLBACK")
    holder.close()
    store.write([record()])
    store.close()
    assert rows(path, "SELECT count(*) FROM transactions") == [(2,)]
    assert sums_agree(path)


@root_only
def test_r34_a_full_disk_is_trimmed_by_means_of_the_ballast(small_disk: Path) -> None:
    path = small_disk / "apm.db"
    store = SQLiteStore(str(path), process(), max_size=100 * 2**20)
    store.write([record()])
    prune_all(store)
    assert Path(faults.ballast_of(str(path))).stat().st_size == 2 * 2**20
    # Past the guard, which leaves a tenth of a small disk to the application.
    (small_disk / "of-the-application").write_bytes(bytes(5 * 2**20))
    written, said = 1, ""
    for _ in range(200):
        try:
            store.write(many(100, 400))
            written += 100
        except StoreError as error:
            said = str(error)
            break
    assert "full" in said
    assert rows(path, "SELECT count(*) FROM transactions") == [(written,)]
    # The application frees some room: the guard lets us go on, without a restart.
    (small_disk / "of-the-application").unlink()
    store.write([record("GET /again")])
    store.close()
    assert sums_agree(path)


@root_only
def test_r34_a_disk_that_fills_within_a_write(small_disk: Path) -> None:
    path = small_disk / "apm.db"
    store = SQLiteStore(str(path), process(), max_size=100 * 2**20)
    store.write([record()])
    prune_all(store)
    filler = small_disk / "of-the-application"
    with filler.open("wb") as out:
        out.write(bytes(10 * 2**20))
    written = 1
    full = False
    # Another process fills the disk between the guard's look and our write; here the write itself is larger.
    for _ in range(60):
        try:
            store.write(many(400, 800))
            written += 400
        except StoreError as error:
            full = True
            if "disk is full" in str(error):
                break
    assert full
    assert rows(path, "SELECT count(*) FROM transactions") == [(written,)]
    filler.unlink()
    prune_all(store)
    store.write([record("GET /again")])
    store.close()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_r34_a_write_past_the_size_limit_of_the_process(tmp_path: Path) -> None:
    """A full disk as any user can have it: files of this process may not grow."""
    script = f"""
import resource, signal, sys
sys.path[:0] = {sys.path!r}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from records import process, record, rows
from apm_agent.errors import StoreError
from apm_agent.store.sqlite import SQLiteStore
path = {str(tmp_path / "apm.db")!r}
store = SQLiteStore(path, process())
store.write([record()])
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
written, failed = 1, 0
for _ in range(40):
    try:
        store.write([record() for _ in range(100)])
        written += 100
    except StoreError:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.write([record()])
written += 1
store.close()
assert failed > 10, failed
assert rows(path, "SELECT count(*) FROM transactions") == [(written,)]
assert rows(path, "PRAGMA integrity_check") == [("ok",)]
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_r34_a_deleted_file_is_noticed_and_made_again(tmp_path: Path) -> None:
    path = tmp_path / "store" / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    path.unlink()
    store.write([record("GET /after")])
    assert rows(path, "SELECT name FROM endpoints") == [("GET /after",)]
    shutil.rmtree(path.parent)
    store.write([record("GET /later")])
    store.close()
    assert rows(path, "SELECT name FROM endpoints") == [("GET /later",)]
    assert sums_agree(path)


def test_r34_an_emptied_file_gets_its_tables_again(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    os.truncate(path, 0)
    for _ in range(3):
        store.write([record("GET /after")])
    store.close()
    assert rows(path, "SELECT count(*) FROM transactions")[0][0] >= 3
    assert sums_agree(path)


def test_r34_an_emptied_file_that_a_reader_keeps_open_is_made_anew(tmp_path: Path) -> None:
    """A dashboard nobody looks at keeps its connection, and with it a lock that no new set-up gets past."""
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process(), busy=0.1)
    store.write([record()])
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    reader.execute("SELECT count(*) FROM transactions").fetchall()
    os.truncate(path, 0)
    with pytest.raises(StoreError, match="locked"):
        store.write([record("GET /after")])
    store.write([record("GET /after")])
    store.close()
    reader.close()
    assert rows(path, "SELECT name FROM endpoints") == [("GET /after",)]
    assert sums_agree(path)


@pytest.mark.parametrize("left", [0, 50_000])
def test_r34_a_file_cut_just_before_another_process_copied_its_log_into_it_is_noticed(
    tmp_path: Path, left: int
) -> None:
    """The file has its size again when we look, and zeros where pages were: whoever has those cached writes on."""
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    for _ in range(4):
        store.write(many(50))
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM transactions").fetchall()
    os.truncate(path, left)
    assert other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0] == 0
    other.close()
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        rows(path, "SELECT count(*) FROM transactions")
    store.write([record("GET /after")])
    store.close()
    assert rows(path, "SELECT name FROM endpoints") == [("GET /after",)]
    assert sums_agree(path)


@pytest.mark.parametrize("others", [0, 2])
def test_r34_a_deleted_log_whose_index_a_reader_keeps_is_got_past(tmp_path: Path, others: int) -> None:
    path = tmp_path / "apm.db"
    stores = [SQLiteStore(str(path), process(n)) for n in range(1 + others)]
    for store in stores:
        store.write(many(20))
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    reader.execute("SELECT count(*) FROM transactions").fetchall()
    Path(f"{path}-wal").unlink()
    for _ in range(2):
        for store in stores:
            try:
                store.write([record("GET /after")])
            except StoreError:  # another still writes to what was deleted; the writer tries again
                continue
    for store in stores:
        store.write([record("GET /later")])
    assert rows(
        path,
        "SELECT count(*) FROM transactions t JOIN endpoints e ON e.id = endpoint_id AND name = 'GET /later'",
    )
    for store in stores:
        store.close()
    reader.close()
    assert sums_agree(path)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("running", [True, False], ids=["while-open", "before-opening"])
def test_r34_rubbish_is_put_aside_and_a_new_file_begun(tmp_path: Path, running: bool) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write(many(500))
    if not running:
        store.close()
    else:
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # type: ignore[union-attr]
    with path.open("r+b") as file:
        file.write(b"rubbish " * 20_000)
    store.write(many(50))  # a writer whose pages are cached notices nothing,
    prune_all(store)  # so once a minute the file is read with fresh eyes
    for n in range(5):
        store.write([record(f"GET /after/{n}"), *many(50)])
    store.close()
    assert sums_agree(path)
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    aside = [each for each in tmp_path.glob("apm.db.corrupt-*") if each.suffix[-1].isdigit()]
    assert len(aside) == 1
    assert b"rubbish" in aside[0].read_bytes()


def test_r34_of_many_processes_one_puts_the_file_aside(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    stores = [SQLiteStore(str(path), process(n)) for n in range(4)]
    for store in stores:
        store.write(many(20))
    for store in stores:
        store.close()
    path.write_bytes(b"rubbish " * 5_000)
    for store in stores:
        store.write(many(20))
    for store in stores:
        store.close()
    assert rows(path, "SELECT count(*) FROM transactions") == [(80,)]
    assert len(list(tmp_path.glob("apm.db.corrupt-*"))) == 1


WRITER = """
import sys
from apm_agent.store.sqlite import SQLiteStore
from records import process, record
path, number, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for _ in range(rounds):
    print("ready", flush=True)
    sys.stdin.readline()
    store = SQLiteStore(path, process(number))
    for n in range(20):
        store.write([record(f"GET /{n}")])
    store.close()
    print("done", flush=True)
"""


def test_r34_of_many_processes_that_come_to_rubbish_at_once_one_puts_it_aside(tmp_path: Path) -> None:
    """Not the new file of the one that was first, and not its WAL: every record written is in it."""
    path, writers, rounds = tmp_path / "apm.db", 4, 15
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    command = [sys.executable, "-c", WRITER, path]
    running = [
        subprocess.Popen(
            [*map(str, command), str(number), str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        for number in range(writers)
    ]

    def heard(word: str) -> None:
        for each in running:
            assert each.stdout is not None
            assert each.stdout.readline() == f"{word}\n"

    for _ in range(rounds):
        heard("ready")
        for left in tmp_path.glob("apm.db*"):
            left.unlink()
        path.write_bytes(b"rubbish " * 5_000)
        for each in running:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        heard("done")
        assert len([one for one in tmp_path.glob("apm.db.corrupt-*") if one.suffix[-1].isdigit()]) == 1
        assert rows(path, "SELECT count(*) FROM transactions") == [(20 * writers,)]
        assert sums_agree(path)
    for each in running:
        each.communicate(timeout=20)
        assert each.returncode == 0


def test_r34_few_damaged_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    for n in range(4):
        path.write_bytes(b"rubbish")
        faults.quarantine(str(path), None, n * 10**9)
    assert sorted(each.name for each in tmp_path.glob("apm.db.corrupt-*")) == [
        "apm.db.corrupt-2",
        "apm.db.corrupt-3",
    ]


def test_r34_two_files_put_aside_in_one_second_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        faults.quarantine(str(path), None, 7 * 10**9)
    kept = sorted(tmp_path.glob("apm.db.corrupt-*"))
    assert [each.read_bytes() for each in kept] == [b"first", b"second"]


@root_only
def test_r34_damaged_files_go_before_the_disk_is_full(small_disk: Path) -> None:
    path = small_disk / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    for age in (1, 2):
        (small_disk / f"apm.db.corrupt-{age}").write_bytes(bytes(4 * 2**20))
    (small_disk / "of-the-application").write_bytes(bytes(5 * 2**20))
    for age in (1, 2):
        (small_disk / f"apm.db.corrupt-{age}-wal").write_bytes(bytes(2**20))
    store.write([record()])
    store.close()
    assert rows(path, "SELECT count(*) FROM transactions") == [(2,)]
    assert sorted(each.name for each in small_disk.glob("*corrupt*")) == [
        "apm.db.corrupt-2",
        "apm.db.corrupt-2-wal",
    ], "the older one was enough"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_r34_a_folder_turned_read_only(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    store.close()
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError):
            store.write([record()])
    finally:
        tmp_path.chmod(0o700)
    store.write([record()])
    store.close()


@root_only
def test_r34_a_file_system_turned_read_only(small_disk: Path) -> None:
    path = small_disk / "apm.db"
    store = SQLiteStore(str(path), process())
    store.write([record()])
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreError):
        store.write([record()])
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    store.write([record()])
    store.close()
    assert rows(path, "SELECT count(*) FROM transactions") == [(2,)]


def test_r34_the_wal_is_cut_back(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process(), max_size=16 * 2**20)
    reader = sqlite3.connect(path)
    store.write([record()])
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM transactions").fetchall()  # a snapshot held open stops checkpoints
    for _ in range(20):
        store.write(many(200, 200))
    wal = Path(f"{path}-wal")
    assert wal.stat().st_size > 2 * 2**20
    reader.rollback()
    reader.close()
    store.write([record()])
    assert wal.stat().st_size < 2**20
    store.close()
