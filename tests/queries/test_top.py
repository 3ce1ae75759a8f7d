"""Two readings of live counters and of the store: their difference is what came between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.model import live as shape
from apm_agent.model.live import Flight, Function, Told
from apm_agent.queries.connection import connect
from apm_agent.queries.during import Counters, profiled
from apm_agent.queries.top import Readings, between
from apm_agent.store.sqlite import SQLiteStore
from records import process, record

SECOND = 10**9
Tell = Callable[..., None]


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[SQLiteStore]:
    made = SQLiteStore(str(tmp_path / "apm.db"), process())
    made.write([record("GET /old"), record("GET /orders", duration_ns=900 * 1_000_000)])
    yield made
    made.close()


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    since = time.time() - 100

    def lay(written: float, *functions: Function, pid: int = 1, flights: tuple[Flight, ...] = ()) -> None:
        folder = tmp_path / "live"
        folder.mkdir(mode=0o700, exist_ok=True)
        sampled = sum(each.own_ns for each in functions)
        told = Told("apm.db", "shop", "here", pid, written, since, sampled, 0, flights, 0, functions)
        Path(shape.file_of(str(folder), "here", pid)).write_text(shape.to_text(told))

    return lay


def function(name: str, own: int, total: int) -> Function:
    return Function(name, "shop.py", "app", own * SECOND, total * SECOND)


def test_functions_of_the_time_between(tmp_path: Path, keeping: SQLiteStore, tell: Tell) -> None:
    now = time.time()
    tell(now - 2, function("a", 10, 30), function("b", 20, 20))
    with connect(f"sqlite:///{tmp_path}/apm.db") as connection:
        readings = Readings(connection)
        before = readings.take()
        tell(now, function("a", 13, 34), function("b", 20, 20), function("c", 1, 1))
        tell(now, function("a", 4, 4), pid=2)  # began to tell meanwhile: all of it counts
        table = between(before, readings.take())
    rows = {
        row.function: (row.own_ns // SECOND, row.total_ns // SECOND, row.own, row.total)
        for row in table.functions
    }
    assert rows == {"a": (7, 8, 7 / 8, 1.0), "c": (1, 1, 1 / 8, 1 / 8)}
    assert [row.function for row in table.functions] == ["a", "c"]
    assert table.processes == 2
    assert table.busy == pytest.approx(4 / 2 + 4 / 100, rel=0.01)


def test_endpoints_of_the_time_between(tmp_path: Path, keeping: SQLiteStore, tell: Tell) -> None:
    flight = Flight("1", "web", "", "GET", "/slow", 5 * SECOND, "waiting", None, ())
    with connect(f"sqlite:///{tmp_path}/apm.db") as connection:
        readings = Readings(connection)
        before = readings.take()
        keeping.write([record("GET /orders", duration_ns=10_000_000, status=500) for _ in range(4)])
        tell(time.time(), flights=(flight,))
        table = between(before, readings.take())
    rows = {row.name: row for row in table.endpoints}
    assert set(rows) == {"GET /orders", "GET /slow"}
    orders, slow = rows["GET /orders"], rows["GET /slow"]
    assert (orders.calls, orders.errors, orders.mean_ms, orders.in_flight) == (4, 4, 10.0, 0)
    assert orders.p95_ms == pytest.approx(10, rel=0.02)
    assert orders.per_s == pytest.approx(4 / table.seconds)
    assert (slow.calls, slow.mean_ms, slow.p95_ms, slow.in_flight, slow.oldest_ms) == (
        0,
        None,
        None,
        1,
        5000.0,
    )


def test_a_profile_of_the_time_between(tmp_path: Path, keeping: SQLiteStore) -> None:
    with connect(f"sqlite:///{tmp_path}/apm.db") as connection:
        counters = Counters(connection)
        known = [row[0] for row in connection.rows("SELECT id FROM endpoints WHERE name = 'GET /orders'")]
        before = counters.stacks(known)
        keeping.write([record("GET /orders") for _ in range(3)] + [record("GET /old")])
        found = profiled(connection, before, counters.stacks(known), 3)
        nothing = profiled(connection, counters.stacks(known), counters.stacks(known), 0)
    assert (found.transactions, found.samples, found.total_ns) == (3, 6, 6_000_000)
    (weighed,) = found.stacks
    assert [frame.function for frame in weighed.stack] == ["orders", "price", "execute"]
    assert nothing.stacks == []


def test_a_store_that_was_emptied_meanwhile_counts_nothing_negative(
    tmp_path: Path, keeping: SQLiteStore
) -> None:
    keeping.write([record("GET /orders") for _ in range(9)])
    path = tmp_path / "apm.db"
    with connect(f"sqlite:///{path}") as connection:
        before: Any = Readings(connection).take()
    keeping.close()
    for file in tmp_path.glob("apm.db*"):
        file.unlink()
    keeping.write([record("GET /orders")])
    with connect(f"sqlite:///{path}") as connection:
        assert between(before, Readings(connection).take()).endpoints == []
    keeping.close()
