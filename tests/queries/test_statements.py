"""Statements of a window are the sums of what was written, and one of them tells who sent it."""

from __future__ import annotations

import sqlite3

import pytest

from apm_agent.errors import QuestionError
from apm_agent.queries.connection import Connection
from apm_agent.queries.statement import last_release, statement
from apm_agent.queries.statements import SORTS, Page, statements
from apm_agent.queries.window import of_range
from make_store import CUSTOMER, REPORT

DAY = of_range("24h")


def test_sums_are_those_of_the_rows(connection: Connection, raw: sqlite3.Connection) -> None:
    found = statements(connection, DAY, Page())["queries"]
    wanted = raw.execute(
        "SELECT s.text, sum(r.count), sum(r.duration_ns), max(r.duration_max_ns) FROM statement_rollups r"
        " JOIN statements s ON s.id = r.statement_id WHERE r.resolution = 60 AND r.t >= ? GROUP BY s.text",
        (DAY.start,),
    ).fetchall()
    assert {row["text"]: (row["runs"], row["total_ms"], row["max_ms"]) for row in found} == {
        text: (runs, round(ns / 1e6, 3), round(longest / 1e6, 3)) for text, runs, ns, longest in wanted
    }
    assert sum(row["share"] for row in found) == pytest.approx(1, abs=1e-5)


def test_the_repeated_query_is_marked_with_its_line(connection: Connection) -> None:
    row = next(row for row in statements(connection, DAY, Page())["queries"] if row["text"] == CUSTOMER)
    assert (row["flags"], row["runs_per_call"]) == (["n+1"], 43)
    assert (row["where"][0]["file"], row["where"][0]["line"]) == ("shop.py", 8)
    assert [each["name"] for each in row["endpoints"]] == ["GET /orders"]


@pytest.mark.parametrize("sort", SORTS)
def test_each_order_pages_without_losing_a_row(sort: str, connection: Connection) -> None:
    whole = [row["id"] for row in statements(connection, DAY, Page(sort=sort))["queries"]]
    pages = [statements(connection, DAY, Page(sort=sort, limit=1, offset=at)) for at in range(len(whole))]
    one_by_one = [row["id"] for answer in pages for row in answer["queries"]]
    assert [answer["cursor"] for answer in pages] == [*map(str, range(1, len(whole))), None]
    assert one_by_one == whole
    assert len(set(whole)) == len(whole) > 1


def test_text_and_service_narrow_it(connection: Connection) -> None:
    assert [row["text"] for row in statements(connection, DAY, Page(text="CREATED >"))["queries"]] == [REPORT]
    assert statements(connection, DAY, Page(text="%"))["queries"] == []
    assert statements(connection, DAY, Page(), service="other")["queries"] == []
    with pytest.raises(QuestionError, match="sort='x' is not one of total"):
        statements(connection, DAY, Page(sort="x"))


def test_one_statement(connection: Connection, raw: sqlite3.Connection) -> None:
    (number,) = raw.execute("SELECT id FROM statements WHERE text = ?", (REPORT,)).fetchone()
    found = statement(connection, DAY, number)
    assert found is not None
    row = found["query"]
    assert sum(found["series"]["runs"]) == row["runs"] == sum(sender["runs"] for sender in found["senders"])
    assert sum(found["series"]["total_ms"]) == pytest.approx(row["total_ms"])
    assert max(filter(None, found["series"]["max_ms"])) == row["max_ms"]
    assert found["examples"][0]["statement_ms"] == max(each["statement_ms"] for each in found["examples"])
    assert found["p95"]["ms"] <= row["max_ms"]
    assert last_release(connection, number) == "1.4.0"


def test_a_statement_that_did_not_run_and_one_there_is_not(
    connection: Connection, raw: sqlite3.Connection
) -> None:
    (number,) = raw.execute("SELECT id FROM statements WHERE text = ?", (REPORT,)).fetchone()
    found = statement(connection, DAY, number, service="other")
    assert found is not None
    assert (found["query"], found["examples"], found["senders"]) == (None, [], [])
    assert statement(connection, DAY, 1) is None
