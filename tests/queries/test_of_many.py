"""What is found in many transactions, as the pages of a busy shop's day tell it: over HTTP, among other causes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import ask
from apm_agent.queries import window
from apm_agent.queries.connection import connect
from apm_agent.queries.why import diagnose, markdown
from apm_agent.web.app import dashboard
from calls import MS, Calls, query
from make_store import FAULTS, make
from running import served

HOUR = 3600
OURS = {"GET /pay": "error_burst", "GET /cached": "two_speeds", "GET /search": "regression"}
SEARCH = "SELECT * FROM items WHERE title LIKE ?"


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """The made-up day, and three endpoints more."""
    calls = Calls(tmp_path_factory.mktemp("busy"))
    make(calls.path, 6000)
    for number in range(2400):
        ago = 23 * HOUR * (1 - number / 2400)
        calls.call(
            "GET /pay", ago, 30, error="TimeoutError" if ago < 3000 and number % 2 else None, line=61,
            release="1.4.0",
        )  # fmt: skip
        slow = number % 5 == 0
        calls.call(
            "GET /cached", ago, 200 if slow else 9, release="1.4.0", kept="slow" if slow else None,
            times={"db": 190 * MS if slow else 1 * MS},
        )  # fmt: skip
        old = number < 1200
        ms = (12 if old else 70) + number % 7
        calls.call(
            "GET /search", ago, 20 + ms, release="1.3.0" if old else "1.4.0", spans=[query(SEARCH, ms, 77)],
            times={"db": ms * MS}, queries=1,
        )  # fmt: skip
    calls.write()
    return calls


@pytest.fixture(scope="module")
def base(calls: Calls) -> Iterator[str]:
    with served(dashboard(calls.url)) as server:
        yield f"http://{server.host}:{server.port}"


def insights(base: str, name: str) -> dict[str, dict[str, Any]]:
    answer = ask(base, "endpoint", name=name, kind="web", service="shop", range="24h")
    return {each["kind"]: each for each in answer["insights"]}


def test_each_is_an_insight_of_its_endpoint_and_of_no_other(base: str) -> None:
    pay = insights(base, "GET /pay")["error_burst"]
    assert pay["title"] == "Error burst"
    assert pay["why"].endswith(": TimeoutError at shop.py:61")
    assert (pay["where"]["file"], pay["where"]["line"]) == ("shop.py", 61)
    assert pay["trace"] == pay["evidence"]["error"]["trace"]
    assert ask(base, "trace", id=pay["trace"])["trace"]["failed"]
    cached = insights(base, "GET /cached")["two_speeds"]
    assert cached["why"].startswith("20 % of the calls take about ")
    assert cached["why"].endswith(" more is db")
    assert ask(base, "trace", id=cached["trace"])["trace"]["duration_ms"] == 200
    search = insights(base, "GET /search")["regression"]
    assert search["statement"]["text"] == SEARCH
    assert search["why"].endswith("SELECT items takes 58 ms more at shop.py:77")
    evidence = search["evidence"]
    assert evidence["change_ms"] == pytest.approx(58, abs=1)
    assert evidence["low_ms"] < evidence["change_ms"] < evidence["high_ms"]
    for name in FAULTS:
        assert not insights(base, name).keys() & set(OURS.values()), name


def test_rows_and_fix_first_say_so_too(base: str) -> None:
    rows = {each["name"]: each for each in ask(base, "endpoints", range="24h")["endpoints"]}
    assert "TimeoutError at shop.py:61" in rows["GET /pay"]["why"]
    assert "errors" in rows["GET /pay"]["flags"]
    assert rows["GET /search"]["where"] == "shop.py:77"
    for name, (_, line) in FAULTS.items():
        assert rows[name]["where"] == f"shop.py:{line}", name
    fixes = ask(base, "overview", range="24h")["fix_first"]
    assert all(set(each) >= {"evidence", "cost_ms", "why"} for each in fixes)
    assert (fixes[0]["name"], fixes[0]["kind"]) == ("GET /pay", "error_burst")
    assert fixes[0]["severity"] == "bad"


def test_a_terminal_says_so_too(calls: Calls) -> None:
    with connect(calls.url) as connection:
        text = markdown(diagnose(connection, "GET /search", window.of_range("24h")))
    assert "**Slower since a release**" in text
    assert "shop.py:77" in text


def test_nothing_else_is_found_in_the_day(tmp_path: Path) -> None:
    for hours, transactions in ((24, 8000), (1, 8000)):
        calls = Calls(tmp_path / str(hours))
        make(calls.path, transactions, hours)
        for kind in OURS.values():
            for asked in window.RANGES:
                assert calls.found(kind, asked) == {}, (kind, asked)
