"""Failures that rose lately are told with their error and line; failures as ever, and clusters as ever, are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from apm_agent.queries import finding, window
from calls import Calls

HOUR = 3600


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path)


def evenly(count: int, seconds: float = HOUR - 120) -> Iterator[float]:
    """So many moments, in seconds ago, the first one longest ago."""
    return (seconds * (count - number) / count for number in range(count))


def test_a_burst_with_its_error_and_line(calls: Calls) -> None:
    for number, ago in enumerate(evenly(600)):
        failing = ago < 250 and number % 2 == 0
        error = "KeyError" if number % 10 == 0 else "ValueError"
        calls.call("GET /basket", ago, 20, error=error if failing else None, line=43)
        calls.call("GET /", ago, 2)
    calls.write()
    found = calls.found("error_burst")
    assert list(found) == ["GET /basket"]
    burst = found["GET /basket"]
    assert burst.frame is not None
    assert (burst.frame.file, burst.frame.line) == ("shop.py", 43)
    assert burst.text.endswith(" 0 % before: ValueError")
    figures = burst.figures
    assert figures is not None
    assert figures["failures"] == burst.transactions >= 18
    assert figures["failures_before"] == 0
    assert figures["rate"] > 0.3
    assert figures["p_value"] < 1e-4
    assert figures["error"]["type"] == "ValueError"
    assert figures["error"]["where"] == {"file": "shop.py", "line": 43, "function": "view"}
    # The time of the calls that failed: half of the recent ones, 20 ms each.
    assert burst.cost_ns == pytest.approx(burst.transactions * 20e6, rel=0.01)
    assert burst.grave == "bad"
    assert burst.example


def test_an_error_without_detail_has_no_line(calls: Calls) -> None:
    for ago in evenly(600):
        calls.call("GET /basket", ago, 20, status=503 if ago < 250 else 200)
    calls.write()
    burst = calls.found("error_burst")["GET /basket"]
    assert burst.text.endswith(": HTTP 503")
    assert burst.frame is None
    assert burst.example == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_steady_rate_is_no_burst(calls: Calls, seed: int) -> None:
    random = Random(seed)
    for ago in evenly(3000):
        for name, rate in (("GET /a", 0.02), ("GET /b", 0.2), ("GET /c", 0.5)):
            calls.call(name, ago, 5, status=500 if random.random() < rate else 200)
    calls.write()
    assert calls.found("error_burst") == {}


def test_failures_that_always_come_in_clusters_are_no_burst(calls: Calls) -> None:
    for ago in evenly(3600, HOUR - 1):
        # A minute of every six nearly everything fails, the running one among them.
        calls.call("GET /flaky", ago, 5, status=500 if ago % 360 < 60 else 200)
    calls.write()
    assert calls.found("error_burst") == {}


def test_under_ten_failures_or_from_nothing_there_is_no_burst(calls: Calls) -> None:
    for number, ago in enumerate(evenly(400)):
        calls.call("GET /nine", ago, 5, status=500 if number >= 391 else 200)
    for ago in evenly(60, 100):
        calls.call("GET /new", ago, 5, status=500)
    calls.write()
    assert calls.found("error_burst") == {}


def test_long_windows_are_looked_at_by_the_hour(calls: Calls) -> None:
    for number, ago in enumerate(evenly(2400, 23 * HOUR)):
        calls.call("GET /basket", ago, 20, status=500 if ago < 2 * HOUR and number % 3 else 200)
    calls.write()
    assert list(calls.found("error_burst", "24h")) == ["GET /basket"]
    now = calls.now / 1e9
    past = window.parse({"from": str(now - 26 * HOUR), "to": str(now - HOUR / 3)}, now)
    burst = calls.found("error_burst", past)["GET /basket"].figures
    assert burst is not None
    before = sum(1 for ago in evenly(2400, 23 * HOUR) if ago > HOUR / 3)
    assert burst["calls"] + burst["calls_before"] == pytest.approx(
        before, abs=2
    )  # none after the window's end
    assert calls.found("error_burst", "15m") == {}  # it has always failed so in these minutes


def test_what_came_since_is_counted_with_what_was(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_HOLDS", -1.0)
    for number, ago in enumerate(evenly(2400, 23 * HOUR)):
        calls.call("GET /basket", ago, 20, status=500 if ago < 3 * HOUR and number % 3 else 200)
        calls.call("GET /", ago, 20, status=500 if number % 3 else 200)
    calls.write()
    before = calls.found("error_burst", "24h")["GET /basket"].figures
    for ago in evenly(90, 300):
        calls.call("GET /basket", ago, 20, status=500)
    calls.write()
    after = calls.found("error_burst", "24h")["GET /basket"].figures
    assert before is not None
    assert after is not None
    for figures, more in ((before, 0), (after, 90)):
        recent = [ago for ago in evenly(2400, 23 * HOUR) if calls.now / 1e9 - ago >= figures["since"]]
        assert figures["calls"] == len(recent) + more
        assert figures["calls_before"] == 2400 - len(recent)
