"""The slowest transactions are those of all rows, found by reading few of them; a search says how far it went."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from apm_agent.queries import slowest as looked
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.filters import EVERY, Filters
from apm_agent.queries.scope import Scope, scope_of
from apm_agent.queries.slowest import newest, slowest, slowest_of_each
from apm_agent.queries.traces import traces
from apm_agent.queries.window import Window, of_range
from many import fill, steps

DAYS, TRANSACTIONS, ENDPOINTS = 4, 36_000, 30
NOW = int(time.time())
WINDOWS = {
    "week": of_range("7d", NOW),
    "day": of_range("24h", NOW),
    "hour": of_range("1h", NOW),
    "days": Window((NOW - 80 * 3600) // 3600 * 3600, (NOW - 5 * 3600) // 3600 * 3600, None, False),
    "minutes": Window((NOW - 30 * 3600) // 60 * 60, NOW - 3000.5, None, False),
}
_NAMES = "SELECT x.duration_ns, x.id FROM transactions x WHERE x.started_at >= ? AND x.started_at < ?"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "apm.db"
    fill(path, NOW, DAYS * 86400, TRANSACTIONS, ENDPOINTS)
    return path


@pytest.fixture
def connection(store: Path) -> Iterator[Connection]:
    with connect(f"sqlite:///{store}") as found:
        yield found


@pytest.fixture
def scope(connection: Connection) -> Scope:
    return scope_of(connection)


def _of_all(
    store: Path, window: Window, more: str = "", order: str = "duration_ns", limit: int = 70
) -> list[int]:
    with closing(sqlite3.connect(store)) as raw:
        rows = raw.execute(
            f"{_NAMES}{more} ORDER BY {order} DESC, x.id DESC LIMIT ?",
            (window.start_ns, window.end_ns, limit),
        )
        return [row[1] for row in rows]


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize(
    ("only", "filters", "more"),
    [
        (None, EVERY, ""),
        (1, EVERY, " AND endpoint_id = 1"),
        (29, EVERY, " AND endpoint_id = 29"),
        (None, Filters(min_ns=200_000_000), " AND duration_ns >= 200000000"),
        (None, Filters(max_ns=90_000_000), " AND duration_ns <= 90000000"),
        (1, Filters(failed=True), " AND endpoint_id = 1 AND failed"),
    ],
    ids=["all", "the busiest", "an idle one", "long", "short", "failed"],
)
def test_the_slowest_are_those_of_all_rows(  # noqa: PLR0917
    store: Path,
    connection: Connection,
    scope: Scope,
    window: Window,
    only: int | None,
    filters: Filters,
    more: str,
) -> None:
    chosen = {only: scope.endpoints[only]} if only else scope.endpoints
    found = slowest(connection, window, chosen, None, 70, filters)
    wanted = _of_all(store, window, more)
    if found.searched is None:
        assert [row[0] for row in found.rows] == wanted
    else:  # only of what most of a large window is not: long ones among those that are not
        assert filters.max_ns
        assert found.searched.of > looked.MOST_READ


def test_the_slowest_of_a_release(store: Path, connection: Connection, scope: Scope) -> None:
    window = WINDOWS["week"]
    found = slowest(connection, window, scope.endpoints, (1,), 70)
    assert [row[0] for row in found.rows] == _of_all(store, window, " AND release_id = 1")


def test_the_slowest_of_each_let_no_endpoint_fill_the_list(
    store: Path, connection: Connection, scope: Scope
) -> None:
    for window in WINDOWS.values():
        rows = slowest_of_each(connection, window, scope.endpoints, None, 2, 8)
        firsts: list[tuple[int, int]] = []
        with closing(sqlite3.connect(store)) as raw:
            for endpoint in scope.endpoints:
                firsts += raw.execute(
                    f"{_NAMES} AND endpoint_id = ? ORDER BY 1 DESC, 2 DESC LIMIT 2",
                    (window.start_ns, window.end_ns, endpoint),
                ).fetchall()
        assert [row[0] for row in rows] == [number for _, number in sorted(firsts, reverse=True)[:8]]


def test_where_the_minutes_are_gone_the_hours_are_looked_into(
    store: Path, tmp_path: Path, scope: Scope
) -> None:
    old = tmp_path / "apm.db"
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(old)) as target:
        source.backup(target)
        target.execute("DELETE FROM rollups WHERE resolution = 60 AND t % 7200 < 3600")
        target.execute("DELETE FROM rollups WHERE resolution = 3600 AND t % 172800 < 40000")
        target.commit()
    with connect(f"sqlite:///{old}") as connection:
        window = of_range("7d", NOW)
        found = slowest(connection, window, {1: scope.endpoints[1]}, None, 70)
        assert [row[0] for row in found.rows] == _of_all(old, window, " AND endpoint_id = 1")


@pytest.mark.parametrize("only", [None, 1])
def test_few_of_many_rows_are_read(connection: Connection, scope: Scope, only: int | None) -> None:
    window = WINDOWS["week"]
    chosen = {only: scope.endpoints[only]} if only else scope.endpoints
    scanned = steps(
        connection, lambda: connection.rows(f"{_NAMES} ORDER BY 1", (window.start_ns, window.end_ns))
    )
    assert steps(connection, lambda: slowest(connection, window, chosen, None, 20)) < scanned / 4
    assert steps(connection, lambda: slowest_of_each(connection, window, chosen, None, 2, 8)) < scanned / 8


@pytest.mark.parametrize("sort", ["duration", "time"])
def test_a_search_for_what_nobody_has_says_how_far_it_went(connection: Connection, sort: str) -> None:
    window = WINDOWS["week"]
    found: dict[str, Any] = {}

    def ask(filters: Filters) -> None:
        found.update(traces(connection, window, filters, sort))

    taken = steps(connection, lambda: ask(Filters(text="nobody has this")))
    assert found["traces"] == []
    assert found["cursor"] is None
    searched = found["searched"]
    assert (searched["looked_at"], searched["of"]) == (looked.MOST_READ, TRANSACTIONS)
    rows = connection.rows(
        "SELECT count(*) FROM transactions WHERE started_at >= ?", (round(searched["since"] * 1e9),)
    )
    assert rows[0][0] == pytest.approx(looked.MOST_READ, abs=2)
    assert taken < 60 * looked.MOST_READ

    # What lies before is found by asking for what lies before.
    ask(Filters(text="/part/77"))
    assert all(row["t"] >= searched["since"] for row in found["traces"]) or sort == "duration"
    before = Window(window.start, searched["since"], None, False)
    earlier = traces(connection, before, Filters(text="/part/77"), sort)
    assert "/part/77" in {row["path"] for row in earlier["traces"]}
    assert earlier["searched"] is None


def test_what_many_have_is_found_in_all_of_the_window(
    store: Path, connection: Connection, scope: Scope
) -> None:
    window = WINDOWS["week"]
    found = newest(connection, window, scope.endpoints, None, 70, Filters(failed=True))
    assert found.searched is None
    assert [row[0] for row in found.rows] == _of_all(store, window, " AND failed", "started_at")
    slow = slowest(connection, window, scope.endpoints, None, 70, Filters(text="/part/"))
    assert slow.searched is None
    assert [row[0] for row in slow.rows] == _of_all(store, window)
