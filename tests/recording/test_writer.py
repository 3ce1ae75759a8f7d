"""The writer carries all to the store, backs off when the store fails, and sleeps when nothing happens."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apm_agent.clock import Clock
from apm_agent.errors import contained
from apm_agent.recording.writer import Writer
from records import rows, sums_agree


def until(enough: Callable[[], object], patience: float = 10.0) -> bool:
    deadline = time.monotonic() + patience
    while not enough():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_flush_writes_what_waits(line: Any) -> None:
    for _ in range(1200):
        line.request(queries=2)
    assert line.writer.flush(10)
    assert rows(line.path, "SELECT count(*), sum(queries) FROM transactions") == [(1200, 2400)]
    assert rows(line.path, "SELECT text FROM statements") == [("SELECT name FROM customer WHERE id = ?",)]
    assert sums_agree(line.path)
    assert line.writer.stats()["lost"] == 0


def test_the_thread_starts_with_the_first_transaction_and_writes_by_itself(make_line: Any) -> None:
    line = make_line(interval=0.02)
    before = threading.active_count()
    assert line.recorder.asleep
    line.request()
    assert not line.recorder.asleep
    assert until(lambda: line.writer.carrier.batches == 1)
    line.request()
    assert until(lambda: line.writer.carrier.batches == 2)
    assert threading.active_count() <= before + 1
    assert line.writer.carrier.cpu_ns > 0


def test_a_full_batch_does_not_wait_for_its_time(make_line: Any) -> None:
    line = make_line(interval=600.0)
    line.request()
    for _ in range(600):
        line.request()
    assert until(lambda: line.writer.carrier.batches >= 1)


def test_without_traffic_it_sleeps_and_wakes_again(make_line: Any) -> None:
    line = make_line(interval=0.05)
    line.request()
    assert until(lambda: line.recorder.asleep, 15)
    line.request("GET /later")
    assert until(lambda: line.writer.carrier.batches == 2)
    assert rows(line.path, "SELECT count(*) FROM transactions") == [(2,)]


def test_the_state_of_the_process_is_shown(make_line: Any, tmp_path: Path) -> None:
    line = make_line()
    line.writer.carrier._state = lambda: {
        "sampler": {"cpu_share": 0.001},
        "rss": 5,
        "settings": {"slow": 0.5},
    }
    line.request()
    line.writer.flush(5)
    import json

    [(rss, text)] = rows(line.path, "SELECT rss, state FROM processes")
    state = json.loads(text)
    assert rss == 5
    assert state["settings"] == {"slow": 0.5}
    assert state["recorder"]["recorded"] == 1
    assert set(state["writer"]) >= {"batches", "last_ms", "max_ms", "errors", "cpu_ms"}
    assert state["overhead"]["cpu_share"] >= 0.001


def test_a_broken_transaction_is_lost_alone_and_counted(line: Any) -> None:
    line.request("GET /fine")
    broken = line.request("GET /broken")
    broken.start_ns = "yesterday"
    line.request("GET /fine too")
    assert line.writer.flush(5)
    assert line.writer.carrier.lost == 1
    assert rows(line.path, "SELECT name FROM endpoints ORDER BY name") == [("GET /fine",), ("GET /fine too",)]


def test_a_record_no_store_can_keep_is_lost_alone_and_counted(line: Any) -> None:
    line.request("GET /fine")
    line.request("GET /broken").rss_after = 2**90
    line.request("GET /fine too")
    assert line.writer.flush(5)
    assert line.writer.carrier.lost == 1
    assert rows(line.path, "SELECT count(*) FROM transactions") == [(2,)]
    assert sums_agree(line.path)


def test_a_listener_that_fails_costs_nothing(line: Any) -> None:
    heard = []

    def listen(record: Any) -> None:
        heard.append(record.name)
        raise RuntimeError("the terminal is gone")

    line.writer.carrier._on_record = listen
    line.request("GET /a")
    line.request("GET /b")
    assert line.writer.flush(5)
    assert heard == ["GET /a", "GET /b"]


def test_r19_while_the_store_is_locked_nothing_is_lost_until_the_queue_is_full(make_line: Any) -> None:
    """Bounded, counted, one warning, and all that waited is written when the store is back."""
    wall = [5 * 10**9]
    line = make_line(Clock(monotonic=lambda: wall[0]), max_queue=1000)
    line.recorder.wake = lambda: (
        None
    )  # a thread that has the turn while we wait for it would be counted for us
    line.request("GET /first")
    assert line.writer.flush(5)
    contained.seen.clear()
    holder = sqlite3.connect(line.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for _ in range(6):
        for _ in range(500):
            line.request()
        assert not line.writer.flush(0.3)
    stats = line.recorder.stats()
    assert stats["queued"] == 1000
    assert line.writer.stats()["waiting"] == 500
    assert stats["dropped"] == 3001 - 1 - 500 - 1000
    assert line.writer.carrier.errors >= 6
    assert "locked" in line.writer.carrier.last_error
    assert len([what for what in contained.seen if what[0] == "writing to the store"]) == 1
    holder.execute("ROLLBACK")
    holder.close()
    assert line.writer.flush(10)
    assert rows(line.path, "SELECT count(*) FROM transactions") == [(1501,)]
    assert line.writer.carrier.last_error is None
    assert sums_agree(line.path)


def test_r19_the_pause_between_tries_doubles_up_to_half_a_minute(make_line: Any, tmp_path: Path) -> None:
    now = [5 * 10**9]
    line = make_line(Clock(monotonic=lambda: now[0]))
    tmp_path.joinpath("store").write_text("a file where the folder should be")
    line.request()
    pauses = []
    for _ in range(7):
        assert not line.writer.flush(1)
        pauses.append((line.writer.carrier._not_before - now[0]) / 10**9)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    tmp_path.joinpath("store").unlink()
    assert line.writer.flush(5)
    assert rows(line.path, "SELECT count(*) FROM transactions") == [(1,)]


def test_closing_writes_the_rest_and_ends_the_thread(make_line: Any) -> None:
    line = make_line(interval=30.0)
    line.request()
    line.writer.close()
    assert not Path(f"{line.path}-wal").exists()
    assert rows(line.path, "SELECT count(*) FROM transactions") == [(1,)]


def test_two_threads_may_flush_at_once(line: Any) -> None:
    for _ in range(900):
        line.request()
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(line.writer.flush(10))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert answers == [True] * 4
    assert rows(line.path, "SELECT count(*) FROM transactions") == [(900,)]


def test_writers_agree_on_the_store_protocol() -> None:
    from apm_agent.store.base import Store
    from apm_agent.store.sqlite import SQLiteStore

    for name in ("write", "prune", "close"):
        assert hasattr(SQLiteStore, name)
        assert hasattr(Store, name)
    assert Writer.flush.__defaults__ == (2.0,)


@pytest.mark.parametrize("timeout", [0.0, 0.05])
def test_flush_keeps_to_its_time(make_line: Any, timeout: float) -> None:
    line = make_line()
    for _ in range(3):
        line.request()
    line.writer._turn.acquire()
    assert line.writer.flush(timeout) is False
    line.writer._turn.release()
    assert line.writer.flush(5)


def test_r36_a_flood_that_never_ends_is_interrupted_to_make_room(make_line: Any) -> None:
    """While there was always more to write, nobody looked at the size of the file."""
    line = make_line(max_queue=20_000)
    line.recorder.wake = lambda: None  # nobody but us writes
    for _ in range(12 * 500):
        line.request()
    assert line.writer._round()
    assert line.writer.carrier.batches == 10
    assert len(line.recorder.queue) == 2 * 500
    assert rows(line.path, "SELECT name FROM leases") == [("retention",)]
    while line.recorder.queue:
        assert line.writer._round()
    assert rows(line.path, "SELECT count(*) FROM transactions") == [(6_000,)]
