"""R36: the file keeps to its size and its age, and gives space back, with nobody asking."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

from apm_agent.clock import Clock
from apm_agent.model.profile import Frame
from apm_agent.model.record import SampleRecord
from apm_agent.store.holds import Hold
from apm_agent.store.retention import ROWS
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.store.windows import delete_some
from records import SECOND, process, prune_all, record, rows, sums_agree

DAY = 86_400 * SECOND


class Hands:
    """Clocks that a test moves."""

    def __init__(self, wall: int = 1_790_000_000 * SECOND) -> None:
        self.wall, self.monotonic = wall, 5 * SECOND

    def pass_by(self, ns: int) -> None:
        self.wall += ns
        self.monotonic += ns

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.monotonic, lambda: self.wall)


def size_of(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.iterdir())


def test_r36_a_byte_cap_holds_and_space_comes_back(tmp_path: Path) -> None:
    path, cap, hands = tmp_path / "apm.db", 12 * 2**20, Hands()
    store = SQLiteStore(str(path), process(), max_size=cap, clock=hands.clock)
    noise = Random(3)
    largest = written = 0
    for _ in range(120):
        batch = [
            record(f"GET /{n % 9}", hands.wall, context={"filler": noise.randbytes(300).hex()})
            for n in range(250)
        ]
        store.write(batch)
        written += len(batch)
        hands.pass_by(6 * SECOND)
        store.prune()
        largest = max(largest, size_of(tmp_path))
    assert largest <= cap * 1.05
    kept, newest = rows(path, "SELECT count(*), max(started_at) FROM transactions")[0]
    assert 0 < kept < written
    assert newest > hands.wall - 10 * SECOND
    # What was deleted is still counted.
    assert rows(path, "SELECT sum(count) FROM rollups WHERE resolution = 60") == [(written,)]
    assert rows(path, "SELECT count(*) FROM traces") == [(kept,)]
    store.close()
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_r07_making_room_gives_way_to_who_waits_to_write_and_goes_on(tmp_path: Path) -> None:
    """A process that ends or forks waits for one piece, and not for all there is."""
    path, hands, written = tmp_path / "apm.db", Hands(), 3000
    store = SQLiteStore(str(path), process(), clock=hands.clock)
    # Each of a millisecond of its own, and with it surely of an id of its own.
    store.write([record("GET /old", hands.wall + n * SECOND // 100) for n in range(written)])
    hands.pass_by(8 * DAY)
    left, pieces = written, 0
    while store.prune(lambda: True):
        before, [(left,)] = left, rows(path, "SELECT count(*) FROM transactions")
        assert before - left <= ROWS[1]
        pieces += 1
    assert left == 0
    assert pieces > written // ROWS[1]
    store.close()


def test_r36_old_transactions_go_and_their_rollups_stay(tmp_path: Path) -> None:
    path, hands = tmp_path / "apm.db", Hands()
    store = SQLiteStore(str(path), process(), max_age=7 * 86_400.0, clock=hands.clock)
    store.write([record("GET /old", hands.wall) for _ in range(300)])
    hands.pass_by(6 * DAY)
    prune_all(store)
    assert rows(path, "SELECT count(*) FROM transactions") == [(300,)]
    hands.pass_by(3 * DAY)
    store.write([record("GET /new", hands.wall) for _ in range(5)])
    prune_all(store)
    assert rows(path, "SELECT count(*) FROM transactions") == [(5,)]
    assert rows(path, "SELECT count(*) FROM traces") == [(5,)]
    assert rows(path, "SELECT resolution, sum(count) FROM rollups GROUP BY 1") == [
        (60, 5),
        (3600, 305),
        (86400, 305),
    ]
    assert rows(path, "SELECT resolution, sum(count) FROM profiles GROUP BY 1") == [
        (600, 10), (3600, 610), (86400, 610)
    ]  # fmt: skip
    hands.pass_by(100 * DAY)
    prune_all(store)
    assert rows(path, "SELECT resolution, sum(count) FROM rollups GROUP BY 1") == [(86400, 305)]
    hands.pass_by(800 * DAY)
    prune_all(store)
    assert rows(path, "SELECT count(*) FROM rollups") == [(0,)]
    store.close()


def test_r36_unused_dictionary_entries_go(tmp_path: Path) -> None:
    path, hands = tmp_path / "apm.db", Hands()
    store = SQLiteStore(str(path), process(), clock=hands.clock)
    passing = Frame("gone", "gone.py", 3, "app", "/srv/gone.py")
    store.write([
        record("GET /gone", hands.wall, samples=[SampleRecord(1, 1, (passing,), 0)], spans=[], insights=[]),
    ])  # fmt: skip
    for _ in range(200):
        hands.pass_by(DAY)
        store.write([record("GET /stays", hands.wall)])
        prune_all(store)
    assert rows(path, "SELECT count(*) FROM frames WHERE file = 'gone.py'") == [(0,)]
    assert rows(path, "SELECT count(*) FROM frames") == [(3,)]
    assert rows(path, "SELECT count(*) FROM stacks") == [(1,)]
    assert rows(path, "SELECT count(*) FROM statements") == [(1,)]
    store.close()


def test_r36_finest_rollups_leave_room_for_transactions(tmp_path: Path) -> None:
    """Of many endpoints with many statements a minute is more than its transactions: both go by age."""
    path, hands = tmp_path / "apm.db", Hands()
    store = SQLiteStore(str(path), process(), max_size=3 * 2**19, clock=hands.clock)
    spans = [record().spans[0]._replace(statement=f"SELECT {n} FROM wide WHERE id = ?") for n in range(40)]
    for _ in range(30):
        store.write([
            record(f"GET /{n}", hands.wall, spans=spans, samples=[], insights=[], kept=None) for n in range(40)
        ])  # fmt: skip
        hands.pass_by(60 * SECOND)
        prune_all(store)
    kept, oldest = rows(path, "SELECT count(*), min(started_at) FROM transactions")[0]
    minute = rows(path, "SELECT min(t) FROM statement_rollups WHERE resolution = 60")[0][0]
    assert 100 < kept < 1_200
    age, finest = hands.wall - oldest, hands.wall - minute * SECOND
    assert age // 4 < finest < age  # they may be 8 days old and count twice, transactions 7
    # Hours hold what minutes held.
    assert rows(path, "SELECT sum(count) FROM statement_rollups WHERE resolution = 3600") == [(30 * 40 * 40,)]
    store.close()


def test_r36_months_of_hours_leave_room_for_transactions(tmp_path: Path) -> None:
    """What goes is what is oldest for its kind, not always the transactions first."""
    path, hands = tmp_path / "apm.db", Hands()
    store = SQLiteStore(str(path), process(), max_size=2 * 2**20, clock=hands.clock)
    store.write([record("GET /", hands.wall) for _ in range(100)])
    now = hands.wall // SECOND // 3600 * 3600
    hours = sqlite3.connect(path, timeout=10)
    hours.executemany(
        "INSERT INTO statement_rollups VALUES (3600, ?, ?, 1, ?, 1, 1, 1, 1, 1)",
        [(now - 3600 * hour, n, 2**60 + n) for hour in range(85 * 24) for n in range(40)],
    )
    hours.commit()
    hours.close()
    prune_all(store)
    left = rows(path, "SELECT min(t), count(*) FROM statement_rollups WHERE resolution = 3600")[0]
    assert 0 < left[1] < 85 * 24 * 40
    assert left[0] > now - 85 * 86_400
    assert rows(path, "SELECT count(*) FROM transactions") == [(100,)]
    store.close()


def test_r36_a_large_window_goes_in_parts(tmp_path: Path) -> None:
    path, hands = tmp_path / "apm.db", Hands()
    store = SQLiteStore(str(path), process(), clock=hands.clock)
    spans = [record().spans[0]._replace(statement=f"SELECT {n}") for n in range(100)]
    store.write([record(f"GET /{n}", hands.wall, spans=spans, kept=None) for n in range(45)])
    store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    day = rows(path, "SELECT max(t) FROM statement_rollups WHERE resolution = 86400")[0][0]
    left, held, hold = 4_500, [], Hold(50, 500, hands.clock)
    while delete_some(connection, "statement_rollups", 86400, day + 1, hold):
        found = connection.execute(
            "SELECT count(*) FROM statement_rollups WHERE resolution = 86400"
        ).fetchone()[0]
        held.append(left - found)
        left = found
    # A clock that stands still: each may do twice as much, up to the most.
    assert held == [125, 250, *[500] * 8, 125]
    assert connection.execute(
        "SELECT count(*) FROM statement_rollups WHERE resolution = 3600"
    ).fetchone() == (4_500,)
    connection.close()


def test_r36_one_of_many_processes_prunes(tmp_path: Path) -> None:
    path, hands = tmp_path / "apm.db", Hands()
    first, second = (SQLiteStore(str(path), process(n), clock=hands.clock) for n in (1, 2))
    first.write([record(at=hands.wall)])
    second.write([record(at=hands.wall)])
    prune_all(first)
    hands.pass_by(61 * SECOND)
    prune_all(second)
    assert rows(path, "SELECT owner FROM leases")[0][0].startswith("here:1:")
    hands.pass_by(61 * SECOND)  # the first died; its lease ran out
    prune_all(second)
    assert rows(path, "SELECT owner FROM leases")[0][0].startswith("here:2:")
    first.close()
    second.close()
    assert sums_agree(path)


def test_r36_with_no_transactions_left_rollups_make_room(tmp_path: Path) -> None:
    path, hands = tmp_path / "apm.db", Hands()
    store = SQLiteStore(str(path), process(), max_size=8 * 2**20, clock=hands.clock)
    for n in range(60):
        store.write([record(f"GET /{k}", hands.wall, kept=None, insights=[]) for k in range(200)])
        hands.pass_by(60 * SECOND)
        store.prune()
        del n
    prune_all(store)
    used = rows(path, "PRAGMA page_count")[0][0] * 4096
    assert used < 8 * 2**20
    assert rows(path, "SELECT sum(count) FROM rollups WHERE resolution = 86400") == [(12_000,)]
    store.close()
