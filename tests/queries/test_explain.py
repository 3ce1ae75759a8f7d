"""What the transactions of a box share, figure by figure, on stores small enough to count by hand."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.model.insight import Insight
from apm_agent.model.record import FailureRecord
from apm_agent.queries.connection import connect
from apm_agent.queries.explain import Box, explain
from apm_agent.queries.overview import overview
from apm_agent.queries.window import Window, of_range
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from records import SECOND, VIEW, process, record

MS = 10**6
#: The start of a minute, half an hour ago: boxes and windows are made of whole minutes.
NOON = int(time.time()) // 60 * 60 - 1800
BUSY = {"spans": [], "samples": [], "insights": [], "kept": None, "queries": 0, "times": {}}


def at(minute: float) -> int:
    return NOON * SECOND + int(minute * 60 * SECOND)


def write(path: Path, release: str, pid: int, *records: Any) -> None:
    store = SQLiteStore(str(path), process(pid, release=release, host=f"web-{pid}"), 2**30)
    store.write(list(records), {})
    store.close()


def asked(path: Path, box: Box, base: Window, **narrowed: str) -> dict[str, Any]:
    with connect(f"sqlite:///{path}") as connection:
        return explain(connection, box, base, **narrowed)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 quick calls of the old release; of the new one 30 slow orders of 120 queries, 10 of a plan, and 20 quick."""
    path = tmp_path_factory.mktemp("explain") / "apm.db"
    quick = [record("GET /", at(n / 20), **{**BUSY, "duration_ns": 10 * MS, "path": "/"}) for n in range(80)]
    write(path, "1.0", 1, *quick)
    slow = [
        record(
            "GET /orders", at(10 + n / 20),
            **{
                **BUSY, "duration_ns": (400 + n) * MS, "queries": 120, "times": {"db": 300 * MS},
                "kept": "slow" if n != 15 else None, "context": {"plan": "pro"} if n < 10 else {},
            },
        )
        for n in range(30)
    ]  # fmt: skip
    rest = [
        record("GET /", at(10 + n / 20), **{**BUSY, "duration_ns": 10 * MS, "path": "/"}) for n in range(20)
    ]
    write(path, "2.0", 2, *slow, *rest)
    return path


BASE = Window(NOON, NOON + 1200, None, False)
SLOW = Box(Window(NOON + 600, NOON + 900, None, False), 400 * MS, 500 * MS)


def test_each_value_with_its_shares_the_largest_difference_first(hour: Path) -> None:
    found = asked(hour, SLOW, BASE)
    assert found["selected"] == {"count": 30, "looked_at": 30, "median_ms": 415.0}
    assert found["others"] == {"count": 100, "looked_at": 100}
    assert (found["sampled"], found["thin"]) == (False, False)
    told = [(each["attribute"], each["value"], each["inside"], each["outside"]) for each in found["shared"]]
    assert told == [
        ("endpoint", "GET /orders", 1.0, 0.0),
        ("release", "2.0", 1.0, 0.2),
        ("context plan", "pro", 0.333333, 0.0),
    ]
    first, second, third = found["shared"]
    assert (first["inside_count"], first["outside_count"], first["sure"]) == (30, 0, True)
    assert first["endpoint"] == {"name": "GET /orders", "kind": "web", "service": "shop"}
    also = [(each["attribute"], each["value"]) for each in first["also"]]
    assert also == [("queries", "over 100"), ("most time in", "db")]
    assert {"attribute": "host", "value": "web-2"} in second["also"]
    assert third["sure"] is True


def test_the_median_is_the_nearest_whose_detail_is_kept(hour: Path) -> None:
    """Number 15 lies in the middle and is not kept."""
    found = asked(hour, SLOW, BASE)["median"]
    assert found["duration_ms"] in {414.0, 416.0}
    assert found["has_detail"] is True
    none = asked(hour, Box(Window(NOON, NOON + 300, None, False)), BASE)
    assert none["median"]["has_detail"] is False


def test_a_band_of_time_is_held_against_the_rest(hour: Path) -> None:
    """All of ten minutes, quick and slow: what is new is the release."""
    found = asked(hour, Box(Window(NOON + 600, NOON + 1200, None, False)), BASE)
    assert (found["selected"]["count"], found["others"]["count"]) == (50, 80)
    first = found["shared"][0]
    assert (first["attribute"], first["inside"], first["outside"]) == ("release", 1.0, 0.0)
    assert {"attribute": "host", "value": "web-2"} in first["also"]


def test_filters_narrow_both_sides(hour: Path) -> None:
    found = asked(hour, SLOW, BASE, release="2.0")
    assert (found["selected"]["count"], found["others"]["count"]) == (30, 20)
    assert asked(hour, SLOW, BASE, service="nobody's")["selected"]["count"] == 0


def test_nothing_in_the_box_and_nothing_outside(hour: Path) -> None:
    empty = asked(hour, Box(SLOW.window, 9000 * MS), BASE)
    assert (empty["selected"]["count"], empty["shared"], empty["median"]) == (0, [], None)
    everything = asked(hour, Box(BASE), BASE)
    assert (everything["selected"]["count"], everything["others"]["count"]) == (130, 0)
    assert everything["thin"] is True
    assert {each["outside"] for each in everything["shared"]} <= {None}


def test_few_are_marked_and_may_be_chance(tmp_path: Path) -> None:
    some = [record("GET /", at(n / 10), **{**BUSY, "duration_ns": 10 * MS}) for n in range(30)]
    odd = [
        record("GET /", at(2), **{**BUSY, "duration_ns": 900 * MS, "status": status, "method": "PUT"})
        for status in (200, 503)
    ]
    failed = record(
        "GET /b", at(2), **{**BUSY, "duration_ns": 900 * MS, "status": None},
        failure=FailureRecord("KeyError", "x", VIEW),
    )  # fmt: skip
    write(tmp_path / "apm.db", "1.0", 1, *some, *odd, failed)
    found = asked(tmp_path / "apm.db", Box(BASE, 500 * MS), BASE)
    assert (found["selected"]["count"], found["thin"]) == (3, True)
    told = {(each["attribute"], each["value"]): each for each in found["shared"]}
    assert told["method", "PUT"]["inside"] == 0.666667
    assert told["endpoint", "GET /b"]["sure"] is False
    assert {"attribute": "error", "value": "KeyError"} in told["endpoint", "GET /b"]["also"]


def test_of_very_many_a_part_is_read_and_said_so(tmp_path: Path) -> None:
    """12,000 others over 20 minutes, of which every fourth is a POST: the part says so within two in a hundred."""
    others = [
        record("GET /", at(n / 600), **{**BUSY, "duration_ns": 10 * MS, "method": "POST" if n % 4 == 0 else "GET"})
        for n in range(12_000)
    ]  # fmt: skip
    slow = [
        record("GET /", at(5 + n / 60), **{**BUSY, "duration_ns": 800 * MS, "method": "POST"})
        for n in range(60)
    ]
    write(tmp_path / "apm.db", "1.0", 1, *others, *slow)
    found = asked(tmp_path / "apm.db", Box(BASE, 500 * MS), BASE)
    assert found["sampled"] is True
    assert found["selected"] == {"count": 60, "looked_at": 60, "median_ms": 800.0}
    assert found["others"]["count"] == 12_000
    assert 4_000 < found["others"]["looked_at"] < 6_000
    (first,) = [each for each in found["shared"] if each["attribute"] == "method"]
    assert (first["value"], first["inside"], first["sure"]) == ("POST", 1.0, True)
    assert abs(first["outside"] - 0.25) < 0.02


def test_over_http_with_the_box_in_words_of_traces(hour: Path) -> None:
    client = Client(dashboard(f"sqlite:///{hour}", open_to_all=True))
    box = f"from={NOON + 600}&to={NOON + 900}&min_ms=400&max_ms=500"
    answer = client.get(f"/api/v1/explain?{box}&base_from={NOON}&base_to={NOON + 1200}").get_json()
    assert answer["box"] == {"from": NOON + 600, "to": NOON + 900, "min_ms": 400.0, "max_ms": 500.0}
    assert (answer["selected"]["count"], answer["others"]["count"]) == (30, 100)
    alike = client.get(f"/api/v1/traces?{box}&limit=1000").get_json()["traces"]
    assert len(alike) == answer["selected"]["count"], "the link to Traces lists as many"
    alone = client.get(f"/api/v1/explain?{box}").get_json()
    assert alone["base"] == {"from": NOON + 600, "to": NOON + 900}, "without a base: its own time"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("min_ms=500&max_ms=400", "max_ms='400' is less than min_ms='500'"),
        ("min_ms=x", "min_ms='x'"),
        ("base_to=2026-01-01", "base_to= needs base_from="),
        ("base_from=yesterday", "base_from='yesterday'"),
        ("base_from=2026-01-02&base_to=2026-01-01", "base_to='2026-01-01' is not after base_from='2026-01-02'"),
    ],
)  # fmt: skip
def test_a_box_that_is_none_is_refused_by_name(hour: Path, question: str, said: str) -> None:
    answer = Client(dashboard(f"sqlite:///{hour}", open_to_all=True)).get(f"/api/v1/explain?{question}")
    assert answer.status_code == 400
    assert said in answer.get_json()["error"]["message"]


def test_the_overview_knows_restarts_and_the_longest_collection(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    paused = record(
        "GET /", time.time_ns(), insights=[Insight("gc_pause", "collects", 61 * MS, 1, VIEW)], gc_pauses=[]
    )
    for pid in (1, 2):
        store = SQLiteStore(str(path), process(pid, server="gunicorn", host="web-1"), 2**30)
        store.write([paused if pid == 1 else record("GET /b")], {})
        store.close()
    with connect(f"sqlite:///{path}") as connection:
        answer = overview(connection, of_range("1h"))
        assert answer["crew"] == {"restarts": 1, "in_flight": None, "longest_gc_ms": 61.0}
        assert overview(connection, of_range("1h"), "nobody's")["crew"]["restarts"] is None
    assert [each["pid"] for each in answer["workers"]] == [1, 2]
    assert answer["total"] == {
        "count": 2,
        "errors": 0,
        "total_ms": answer["total"]["total_ms"],
        "count_before": 0,
    }
