"""Statements of a window are the sums of what was written, and one of them tells who sent it."""

from __future__ import annotations

import sqlite3

import pytest

from apm_agent.errors import QuestionError
from apm_agent.queries.connection import Connection
from apm_agent.queries.standing import Ran
from apm_agent.queries.statement import last_release, statement
from apm_agent.queries.statements import SORTS, Page, statements
from apm_agent.queries.window import Window, of_range
from make_store import CUSTOMER, REPORT


@pytest.fixture
def day_now() -> Window:
    """The 24 hours up to the test: the store ends when the first test asks for it, long after this file was read."""
    return of_range("24h")


def test_sums_are_those_of_the_rows(connection: Connection, day_now: Window, raw: sqlite3.Connection) -> None:
    found = statements(connection, day_now, Page())["queries"]
    wanted = raw.execute(
        "SELECT s.text, sum(r.count), sum(r.duration_ns), max(r.duration_max_ns) FROM statement_rollups r"
        " JOIN statements s ON s.id = r.statement_id WHERE r.resolution = 60 AND r.t >= ? GROUP BY s.text",
        (day_now.start,),
    ).fetchall()
    assert {row["text"]: (row["runs"], row["total_ms"], row["max_ms"]) for row in found} == {
        text: (runs, round(ns / 1e6, 3), round(longest / 1e6, 3)) for text, runs, ns, longest in wanted
    }
    assert sum(row["share"] for row in found) == pytest.approx(1, abs=1e-5)


def test_the_repeated_query_is_marked_with_its_line(connection: Connection, day_now: Window) -> None:
    row = next(row for row in statements(connection, day_now, Page())["queries"] if row["text"] == CUSTOMER)
    assert (row["flags"], row["runs_per_call"]) == (["n+1"], 43)
    assert (row["where"][0]["file"], row["where"][0]["line"]) == ("shop.py", 8)
    assert [each["name"] for each in row["endpoints"]] == ["GET /orders"]


@pytest.mark.parametrize("sort", SORTS)
def test_each_order_pages_without_losing_a_row(sort: str, connection: Connection, day_now: Window) -> None:
    whole = [row["id"] for row in statements(connection, day_now, Page(sort=sort))["queries"]]
    pages = [statements(connection, day_now, Page(sort=sort, limit=1, offset=at)) for at in range(len(whole))]
    one_by_one = [row["id"] for answer in pages for row in answer["queries"]]
    assert [answer["cursor"] for answer in pages] == [*map(str, range(1, len(whole))), None]
    assert one_by_one == whole
    assert len(set(whole)) == len(whole) > 1


def test_presets_find_the_bottleneck_and_what_is_always_slow(
    connection: Connection, day_now: Window, raw: sqlite3.Connection
) -> None:
    for sort in ("bottleneck", "slow"):
        first, *others = statements(connection, day_now, Page(sort=sort))["queries"]
        assert first["text"] == REPORT
        assert [row["slow_share"] for row in others] == [0.0] * len(others)
    (whole,) = raw.execute(
        "SELECT sum(r.duration_ns) FROM rollups r JOIN endpoints e ON e.id = r.endpoint_id"
        " WHERE e.name = 'GET /report' AND r.resolution = 60 AND r.t >= ?",
        (day_now.start,),
    ).fetchone()
    assert first["slow_share"] == 1
    assert first["endpoint_share"] == pytest.approx(first["total_ms"] * 1e6 / whole, abs=1e-5)
    shares = [
        row["endpoint_share"] for row in statements(connection, day_now, Page(sort="bottleneck"))["queries"]
    ]
    assert shares == sorted(shares, reverse=True)


def test_p95_and_rows_are_those_of_the_newest_kept_runs(connection: Connection, day_now: Window) -> None:
    by_text = {row["text"]: row for row in statements(connection, day_now, Page())["queries"]}
    row = by_text[REPORT]
    assert (row["rows"], row["rows_runs"]) == (5000, row["p95_runs"])
    assert (row["p95_ms"] is None) == (row["p95_runs"] < 20)
    customer = by_text[CUSTOMER]
    assert customer["rows"] == 1
    assert 0 < customer["p95_ms"] <= customer["max_ms"]
    other = statements(connection, day_now, Page(), release="none")["queries"]
    assert other == []


def test_a_statement_whose_driver_tells_no_rows_has_none() -> None:
    ran = Ran([], [])
    for duration in range(1, 21):
        ran.add([None, "db", "SELECT", 0, duration * 1_000_000, 0, 7, None, None, 0])
    assert ran.figures() == {"p95_ms": 19.0, "p95_runs": 20, "rows": None, "rows_runs": 0}
    ran.add([None, "db", "SELECT", 0, 1, 0, 7, None, {"rows": 3}, 0])
    ran.add([None, "db", "SELECT", 0, 1, 0, 7, None, {"rows": 0}, 0])
    assert (ran.figures()["rows"], ran.figures()["rows_runs"]) == (1.5, 2)


def test_text_and_service_narrow_it(connection: Connection, day_now: Window) -> None:
    assert [row["text"] for row in statements(connection, day_now, Page(text="CREATED >"))["queries"]] == [
        REPORT
    ]
    assert statements(connection, day_now, Page(text="%"))["queries"] == []
    assert statements(connection, day_now, Page(), service="other")["queries"] == []
    with pytest.raises(QuestionError, match="sort='x' is not one of total"):
        statements(connection, day_now, Page(sort="x"))


def test_one_statement(connection: Connection, day_now: Window, raw: sqlite3.Connection) -> None:
    (number,) = raw.execute("SELECT id FROM statements WHERE text = ?", (REPORT,)).fetchone()
    found = statement(connection, day_now, number)
    assert found is not None
    row = found["query"]
    assert sum(found["series"]["runs"]) == row["runs"] == sum(sender["runs"] for sender in found["senders"])
    assert sum(found["series"]["total_ms"]) == pytest.approx(row["total_ms"])
    assert max(filter(None, found["series"]["max_ms"])) == row["max_ms"]
    assert found["examples"][0]["statement_ms"] == max(each["statement_ms"] for each in found["examples"])
    assert found["p95"]["ms"] <= row["max_ms"]
    assert last_release(connection, number) == "1.4.0"


def test_a_statement_that_did_not_run_and_one_there_is_not(
    connection: Connection, day_now: Window, raw: sqlite3.Connection
) -> None:
    (number,) = raw.execute("SELECT id FROM statements WHERE text = ?", (REPORT,)).fetchone()
    found = statement(connection, day_now, number, service="other")
    assert found is not None
    assert (found["query"], found["examples"], found["senders"]) == (None, [], [])
    assert statement(connection, day_now, 1) is None
