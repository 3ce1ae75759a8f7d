"""Processor time beside wall time: written, counted up and read back; what is not known stays unknown."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.model.profile import RUNNING, WAITING, Frame
from apm_agent.model.record import SampleRecord
from apm_agent.queries import hot
from apm_agent.queries.connection import connect
from apm_agent.queries.profile import CPU, Profiled, columnar, of_transaction, of_window
from apm_agent.queries.recorded import record as recorded
from apm_agent.queries.scope import scope_of
from apm_agent.queries.window import of_range
from apm_agent.store.schema import FIRST
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from records import PRICE, VIEW, process, record

MS = 1_000_000
SLEEP = Frame("nap", "shop.py", 30, "app", "/srv/shop.py")
SAMPLES = [
    SampleRecord(1 * MS, 10 * MS, (VIEW, PRICE), RUNNING, 6 * MS),
    SampleRecord(2 * MS, 10 * MS, (VIEW, SLEEP), RUNNING, 0),
    SampleRecord(3 * MS, 10 * MS, (VIEW,), WAITING, 0),
    SampleRecord(4 * MS, 10 * MS, (VIEW, PRICE), RUNNING, None),
]


def written(path: Path, **fields: Any) -> int:
    made = record(at=time.time_ns() - 10**9, samples=SAMPLES, duration_ns=60 * MS, **fields)
    made.weights = {((VIEW, PRICE), RUNNING): 9 * MS}
    made.clocked = {((VIEW, PRICE), RUNNING): [3 * MS, 5 * MS]}
    store = SQLiteStore(str(path), process())
    store.write([made])
    store.close()
    return made.id


def of_all(path: Path) -> Profiled:
    with connect(f"sqlite:///{path}") as connection:
        return of_window(connection, of_range("1h"), scope_of(connection).endpoints)


def test_what_was_kept_of_one_and_counted_of_all_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    number = written(path)
    with connect(f"sqlite:///{path}") as connection:
        one, back = of_transaction(connection, number), recorded(connection, number)
    assert back is not None
    assert [sample.cpu_ns for sample in back.samples] == [6 * MS, 0, 0, None]
    assert list(back.clocked.values()) == [[3 * MS, 5 * MS]]
    for profiled in (one, of_all(path)):
        assert profiled is not None
        assert profiled.total_ns == 49 * MS
        assert profiled.unclocked_ns == 14 * MS
        spent = profiled.on(CPU)
        assert [(each.stack, each.weight_ns) for each in spent.stacks] == [((VIEW, PRICE), 9 * MS)]
        known = {line.frame: line.cpu_ns for line in hot.lines(profiled)}
        assert known == {PRICE: 9 * MS, SLEEP: 0}


def test_what_one_sample_stands_for_beyond_its_transaction_is_counted_too(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process())
    sample = SampleRecord(MS, 2 * MS, (VIEW,), RUNNING, MS)
    store.write([record(samples=[sample], beyond_ns=8 * MS, beyond_cpu_ns=4 * MS)])
    store.close()
    (found,) = of_all(path).stacks
    assert (found.weight_ns, found.cpu_ns, found.clocked_ns) == (10 * MS, 5 * MS, 10 * MS)


def old_store(path: Path, frames: bytes) -> None:
    """A file of the first schema, as the version that made it left it."""
    file = sqlite3.connect(path, isolation_level=None)
    file.executescript(FIRST + "PRAGMA user_version = 1;")
    now = int(time.time())
    file.execute("INSERT INTO endpoints VALUES (1, 'shop', 'web', 'GET /orders', NULL)")
    file.execute("INSERT INTO stacks VALUES (5, ?, ?)", (frames, now // 86400))
    for level in (600, 3600, 86400):
        file.execute(
            "INSERT INTO profiles VALUES (?, ?, 1, 1, 5, 0, 2, 20000000)", (level, now - now % level)
        )
    file.close()


def test_a_store_without_processor_time_is_read_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    old_store(path, b"")
    profiled = of_all(path)
    assert (profiled.total_ns, profiled.unclocked_ns) == (20 * MS, 20 * MS)
    answer = columnar(profiled, 0.0, CPU)
    assert (answer["clock"], answer["total_ns"], answer["unclocked_ns"]) == ("cpu", 0, 20 * MS)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    written(tmp_path / "apm.db")
    return Client(dashboard(f"sqlite:///{tmp_path / 'apm.db'}", open_to_all=True))


def test_the_api_tells_either_clock(client: Client) -> None:
    wall = client.get("/api/v1/profile?range=1h&prune=0").get_json()
    cpu = client.get("/api/v1/profile?range=1h&prune=0&clock=cpu").get_json()
    assert (wall["clock"], wall["total_ns"], wall["unclocked_ns"]) == ("wall", 49 * MS, 14 * MS)
    assert (cpu["clock"], cpu["total_ns"], cpu["unclocked_ns"]) == ("cpu", 9 * MS, 14 * MS)
    assert "nap" in wall["frames"]["function"]
    assert "nap" not in cpu["frames"]["function"]


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("clock=sun", "clock='sun' is not one of wall, cpu"),
        ("clock=cpu&format=pprof", "clock=cpu is answered in format=columnar"),
    ],
)
def test_a_clock_there_is_not_is_refused(client: Client, question: str, named: str) -> None:
    answer = client.get(f"/api/v1/profile?range=1h&{question}")
    assert answer.status_code == 400
    assert named in answer.get_json()["error"]["message"]
