"""The answers against the same file read without us: counts, percentiles, the slowest, the profile."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from apm_agent.model.histogram import ERROR
from apm_agent.queries import cells, hot
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.endpoint import endpoint
from apm_agent.queries.endpoints import POINTS, SORTS, Page, endpoints
from apm_agent.queries.filters import Filters
from apm_agent.queries.overview import overview
from apm_agent.queries.profile import columnar, of_transaction, of_window
from apm_agent.queries.scope import one_endpoint, scope_of
from apm_agent.queries.trace import trace
from apm_agent.queries.traces import traces
from apm_agent.queries.units import parse_id
from apm_agent.queries.why import diagnose, markdown
from apm_agent.queries.window import RANGES, Window, of_range
from make_store import FAULTS, SOURCE, make

DAY = "24h"


def _between(window: Window) -> tuple[int, int]:
    return window.start_ns, window.end_ns


@pytest.mark.parametrize("name", RANGES)
def test_sums_are_those_of_the_rows(name: str, connection: Connection, raw: sqlite3.Connection) -> None:
    window = of_range(name)
    answer = endpoints(connection, window)
    rows = raw.execute(
        "SELECT e.name, count(*), sum(x.failed), sum(x.duration_ns), sum(x.queries), max(x.duration_ns)"
        " FROM transactions x JOIN endpoints e ON e.id = x.endpoint_id"
        " WHERE x.started_at >= ? AND x.started_at < ? AND e.kind IN ('web', 'background') GROUP BY e.name",
        _between(window),
    ).fetchall()
    told = {row["name"]: row for row in answer["endpoints"]}
    assert set(told) == {row[0] for row in rows}
    for endpoint_name, count, errors, duration, queries, longest in rows:
        row = told[endpoint_name]
        assert (row["count"], row["errors"]) == (count, errors)
        assert row["total_ms"] == pytest.approx(duration / 1e6, abs=0.001)
        assert row["max_ms"] == pytest.approx(longest / 1e6, abs=0.001)
        assert row["queries_per_call"] == pytest.approx(queries / count, abs=0.001)
    assert sum(row["share"] for row in told.values()) == pytest.approx(1, abs=1e-4)
    assert answer["total"]["count"] == sum(row[1] for row in rows)


def test_percentiles_are_within_their_error(connection: Connection, raw: sqlite3.Connection) -> None:
    window = of_range(DAY)
    for row in endpoints(connection, window)["endpoints"]:
        durations = sorted(
            found[0]
            for found in raw.execute(
                "SELECT duration_ns FROM transactions x JOIN endpoints e ON e.id = x.endpoint_id"
                " WHERE e.name = ? AND started_at >= ?",
                (row["name"], window.start_ns),
            )
        )
        for key, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
            exact = durations[int(share * (len(durations) - 1))] / 1e6
            assert row[key] == pytest.approx(exact, rel=ERROR * 1.01)


def test_every_planted_fault_is_named_with_its_line(connection: Connection) -> None:
    rows = {row["name"]: row for row in endpoints(connection, of_range(DAY))["endpoints"]}
    for name, (_, line) in FAULTS.items():
        assert rows[name]["where"] == f"shop.py:{line}", name
        assert f"shop.py:{line}" in rows[name]["why"]
    assert rows["GET /orders"]["why"] == "43 identical queries from shop.py:8"
    assert "in price() shop.py:16" in rows["POST /quote"]["why"]
    assert rows["GET /feed"]["why"].startswith("blocks the event loop ")
    assert rows["GET /report"]["why"].startswith("SELECT orders takes ")
    assert rows["POST /track"]["why"] == "keeps 1.2 MB a call at shop.py:38"
    # No insight was stored for the job: its line comes from the profile.
    assert rows["nightly"]["why"] == "100 % of the time in nightly() shop.py:47"
    assert rows["GET /orders"]["flags"] == ["n+1"]
    assert "memory" in rows["POST /track"]["flags"]
    assert "errors" in rows["GET /basket/<int:id>"]["flags"]


def test_long_connections_enter_no_share_and_no_list_of_slow_ones(connection: Connection) -> None:
    window = of_range(DAY)
    assert all(row["kind"] != "websocket" for row in endpoints(connection, window)["endpoints"])
    (live,) = endpoints(connection, window, Page(kind="websocket"))["endpoints"]
    assert (live["name"], live["share"], live["p95_ms"]) == ("WS /live", 0.0, None)
    assert all(row["kind"] != "websocket" for row in traces(connection, window, Filters())["traces"])
    assert traces(connection, window, Filters(kind="websocket"))["traces"][0]["name"] == "WS /live"


@pytest.mark.parametrize("sort", SORTS)
def test_pages_of_endpoints_hold_each_once(sort: str, connection: Connection) -> None:
    window = of_range(DAY)
    seen: list[str] = []
    cursor: str | None = "0"
    while cursor is not None:
        answer = endpoints(connection, window, Page(sort=sort, limit=3, offset=int(cursor)))
        seen += [row["name"] for row in answer["endpoints"]]
        cursor = answer["cursor"]
    assert len(seen) == len(set(seen)) == 11


def test_filters_narrow(connection: Connection) -> None:
    window = of_range(DAY)
    new = endpoints(connection, window, release="1.4.0")
    both = endpoints(connection, window)
    assert 0 < new["total"]["count"] < both["total"]["count"]
    assert endpoints(connection, window, release="none")["endpoints"] == []
    assert endpoints(connection, window, service="none")["endpoints"] == []
    assert [row["name"] for row in endpoints(connection, window, Page(text="ORDERS"))["endpoints"]] == [
        "GET /orders"
    ]
    assert both["releases"] == ["1.4.0", "1.3.0"]


def test_change_compares_with_the_window_before(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    make(path, 2000, hours=0.4)
    with connect(f"sqlite:///{path}") as connection:
        window = of_range("15m")
        rows = {row["name"]: row for row in endpoints(connection, window)["endpoints"]}
    assert abs(rows["GET /orders"]["p95_change"]) < 0.5
    assert rows["nightly"]["p95_change"] is None


@pytest.mark.parametrize("sort", ["duration", "time"])
@pytest.mark.parametrize(
    ("filters", "where"),
    [
        (Filters(), "kind IN ('web', 'background')"),
        (Filters(name="GET /orders"), "name = 'GET /orders'"),
        (
            Filters(min_ns=100_000_000, max_ns=300_000_000),
            "duration_ns BETWEEN 1e8 AND 3e8 AND kind != 'websocket'",
        ),
        (Filters(failed=True), "failed"),
        (Filters(status=500), "status = 500"),
        (Filters(kept=True), "kept IS NOT NULL AND kind != 'websocket'"),
        (Filters(text="/basket/7"), "path LIKE '%/basket/7%'"),
        (Filters(text="plan=pro"), 'context LIKE \'%"plan":"pro"%\''),
        (Filters(text="user=7"), "context LIKE '%\"user\":7%'"),
    ],
)
def test_lists_of_transactions_are_those_of_the_rows(
    sort: str, filters: Filters, where: str, connection: Connection, raw: sqlite3.Connection
) -> None:
    window = of_range(DAY)
    column = "duration_ns" if sort == "duration" else "started_at"
    wanted = [
        row[0]
        for row in raw.execute(
            f"SELECT x.id FROM transactions x JOIN endpoints e ON e.id = x.endpoint_id WHERE {where}"
            f" AND started_at >= ? AND started_at < ? ORDER BY {column} DESC, x.id DESC LIMIT 150",
            _between(window),
        )
    ]
    got: list[int] = []
    cursor = ""
    while len(got) < len(wanted):
        answer = traces(connection, window, filters, sort, 40, cursor)
        got += [parse_id(row["id"]) for row in answer["traces"]]
        cursor = answer["cursor"] or ""
        if not cursor:
            break
    assert got[: len(wanted)] == wanted


def _kept(connection: Connection, name: str) -> str:
    found = traces(connection, of_range(DAY), Filters(name=name, kept=True), limit=1)["traces"]
    return str(found[0]["id"])


def test_a_statement_tells_when_its_first_row_was_there(connection: Connection) -> None:
    found = trace(connection, parse_id(_kept(connection, "GET /report")))
    assert found is not None
    (span,) = found["spans"]
    assert span["first_row_ms"] == 2
    assert span["first_row_ms"] + span["fetch_ms"] == pytest.approx(span["duration_ms"], abs=0.002)
    assert span["tags"] == {"rows": 5000}


def test_a_trace_tells_its_rank_its_neighbours_and_its_detail(connection: Connection) -> None:
    number = parse_id(_kept(connection, "GET /orders"))
    found = trace(connection, number)
    assert found is not None
    head = found["trace"]
    assert head["name"] == "GET /orders"
    assert head["percentile"] > 95
    assert head["context"]["plan"] in ("free", "pro")
    assert len(found["spans"]) == 45
    repeated = [span for span in found["spans"] if span["repeats"]]
    assert len(repeated) == 43
    assert len({span["repeats"] for span in repeated}) == 1
    assert {(span["first_row_ms"], span["fetch_ms"]) for span in found["spans"]} == {(None, None)}
    assert repeated[0]["where"]["source"].startswith("order.customer = db.row(")
    assert found["statements"][0]["runs"] == 43
    assert found["insights"][0]["why"] == "43 identical queries from shop.py:8"
    assert sum(sample["weight_ms"] for sample in found["samples"]) == pytest.approx(
        found["sampled"]["sampled_ms"]
    )
    assert found["source"][0]["function"] == "orders"
    assert found["previous"] is None, "it is the slowest of those kept"
    faster = trace(connection, parse_id(found["next"]))
    assert faster is not None
    assert faster["trace"]["duration_ms"] <= head["duration_ms"]
    assert faster["previous"] == head["id"]


def test_a_trace_with_a_callgraph_shows_it(connection: Connection) -> None:
    found = trace(connection, parse_id(_kept(connection, "POST /quote")))
    assert found is not None
    functions = found["callgraph"]["functions"]
    assert functions[0]["function"] == "price"
    assert functions[0]["category"] == "app"
    assert functions[0]["file"] == "shop.py"


def test_a_failure_is_told_with_its_line(connection: Connection) -> None:
    found = traces(connection, of_range(DAY), Filters(name="GET /basket/<int:id>", failed=True), limit=1)[
        "traces"
    ][0]
    told = trace(connection, parse_id(found["id"]))
    assert told is not None
    assert told["trace"]["error"] == {
        "type": "ValueError", "message": "bad basket", "file": "shop.py", "line": 43, "function": "fail",
    }  # fmt: skip


def test_a_transaction_without_detail_says_why(connection: Connection, raw: sqlite3.Connection) -> None:
    row = raw.execute("SELECT id FROM transactions WHERE kept IS NULL LIMIT 1").fetchone()
    found = trace(connection, row[0])
    assert found is not None
    assert (found["detail"], found["spans"], found["samples"]) == (False, [], [])
    assert found["why_none"].startswith("not kept")
    assert trace(connection, 12345) is None


def test_the_profile_holds_every_sample(connection: Connection, raw: sqlite3.Connection) -> None:
    everything = of_window(connection, of_range("7d"), scope_of(connection).endpoints)
    weight, samples = raw.execute(
        "SELECT sum(weight_ns), sum(count) FROM profiles WHERE resolution = 600"
    ).fetchone()
    assert (everything.total_ns, everything.samples) == (weight, samples)
    tree = columnar(everything, 0.0)
    assert tree["total_ns"] == sum(tree["nodes"]["own_ns"]) == weight
    assert tree["pruned_ns"] == 0
    pruned = columnar(everything, 0.05)
    assert len(pruned["nodes"]["parent"]) < len(tree["nodes"]["parent"])
    assert sum(pruned["nodes"]["own_ns"]) + pruned["pruned_ns"] == weight
    assert all(parent < at for at, parent in enumerate(tree["nodes"]["parent"]))


def test_the_profile_of_one_transaction(connection: Connection) -> None:
    number = parse_id(_kept(connection, "POST /quote"))
    one = of_transaction(connection, number)
    assert one is not None
    hottest = hot.hottest(one)
    assert hottest is not None
    assert hottest[0].line == 16, "uncertain samples lie in the function, not on their line"
    assert hottest[1] == pytest.approx(1)


def test_an_endpoint_in_depth(connection: Connection) -> None:
    found = endpoint(connection, of_range(DAY), "POST /quote")
    assert found is not None
    top = found["hot_lines"][0]
    assert (top["file"], top["line"], top["function"]) == ("shop.py", 16, "price")
    assert top["source"] == SOURCE.splitlines()[15].strip()
    assert top["changed"] is False
    assert [line["number"] for line in found["source"][0]["lines"]] == list(range(12, 18))
    assert sum(band["count"] for band in found["bands"].values()) == found["endpoint"]["count"]
    assert (
        found["bands"]["slow"]["mean_ms"]
        > found["bands"]["typical"]["mean_ms"]
        > found["bands"]["fast"]["mean_ms"]
    )
    assert sum(found["histogram"]["counts"]) == found["endpoint"]["count"]
    assert sum(map(sum, found["heatmap"]["counts"])) >= found["endpoint"]["count"]
    slow = endpoint(connection, of_range(DAY), "GET /orders")
    assert slow is not None
    assert slow["statements"][0]["runs_per_call"] == 43
    assert slow["statements"][0]["where"]["line"] == 8
    assert endpoint(connection, of_range(DAY), "GET /nothing") is None


def test_the_overview(connection: Connection) -> None:
    found = overview(connection, of_range(DAY))
    assert 1 <= len(found["fix_first"]) <= 4
    assert found["fix_first"][0]["where"].startswith("shop.py:")
    costs = [row["name"] for row in found["slowest"]]
    assert all(costs.count(name) <= 2 for name in costs)
    assert len(found["kpi"]["p95_ms"]["spark"]) == POINTS
    assert {release["version"] for release in found["releases"]} == {"1.3.0", "1.4.0"}
    assert len(found["workers"]) == 6


def test_remembered_cells_answer_like_fresh_ones(connection: Connection) -> None:
    window = of_range(DAY, time.time())
    cells.forget()
    first = overview(connection, window)["series"]
    again = overview(connection, window)["series"]
    cells.forget()
    fresh = overview(connection, window)["series"]
    assert first == again == fresh


def test_why_is_short_and_plain(connection: Connection) -> None:
    for row in endpoints(connection, of_range(DAY))["endpoints"]:
        text = markdown(diagnose(connection, row["name"], of_range(DAY)))
        assert len(text.encode()) <= 4096
        assert row["why"] is None or row["why"] in text
    with pytest.raises(ValueError, match="GET /orders"):
        diagnose(connection, "orders", of_range(DAY))


def test_r39_why_stays_short_and_one_line_with_hostile_names(tmp_path: Path) -> None:
    """Whatever was stored: the Markdown is bounded and no name breaks out of its line."""
    path = tmp_path / "apm.db"
    make(path, 400, hours=1)
    hostile = "GET /`x`\n# fake\r\n<script>" + "é" * 5000
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE endpoints SET name = ? WHERE name = 'GET /orders'", (hostile,))
        raw.execute("UPDATE statements SET text = ?", ("`\n# fake " * 2000,))
        raw.execute("UPDATE frames SET function = ?, file = ?", ("`f`\n" * 1000, "a\nb" * 1000))
    raw.close()
    with connect(f"sqlite:///{path}") as connection:
        text = markdown(diagnose(connection, hostile, of_range("24h")))
        assert one_endpoint(connection, hostile) is not None
    assert len(text.encode()) <= 4096
    assert "\n# fake" not in text
