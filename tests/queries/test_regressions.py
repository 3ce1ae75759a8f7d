"""An endpoint that a release made slower is told with how much, how surely and what grew; noise is not."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from calls import MS, Calls, query, samples

OLD, NEW = "1.4.0", "1.5.0"


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path)


def fill(calls: Calls, name: str, before: float, after: float, *, seed: int = 1, count: int = 300) -> None:
    """Half an hour of the old release, then half an hour of the new one; mean ms a call of each."""
    random = Random(seed)
    for number in range(2 * count):
        old = number < count
        typical = before if old else after
        calls.call(
            name,
            3400 * (1 - number / 2 / count),
            typical * random.uniform(0.7, 1.3),
            release=OLD if old else NEW,
        )


def test_the_change_with_its_interval(calls: Calls) -> None:
    fill(calls, "GET /slower", 40, 55)
    fill(calls, "GET /same", 40, 40, seed=2)
    fill(calls, "GET /faster", 55, 40, seed=3)
    fill(calls, "GET /hardly", 40, 42, seed=4)
    calls.write()
    found = calls.found("regression")
    assert list(found) == ["GET /slower"]
    slower = found["GET /slower"]
    figures = slower.figures
    assert figures is not None
    assert (figures["release_before"], figures["release"]) == (OLD, NEW)
    assert figures["before"]["calls"] == figures["after"]["calls"] == 300
    assert figures["low_ms"] < 15 < figures["high_ms"]
    assert figures["low_ms"] > 10
    assert figures["high_ms"] < 20
    assert figures["change_ms"] == pytest.approx(
        figures["after"]["mean_ms"] - figures["before"]["mean_ms"], rel=0.02
    )
    assert slower.cost_ns == pytest.approx(300 * figures["change_ms"] * MS, rel=0.02)
    mean, low, high = figures["after"]["mean_ms"], figures["low_ms"], figures["high_ms"]
    assert (
        slower.text == f"{mean:.0f} ms a call since 1.5.0, {low:.0f} ms to {high:.0f} ms more than in 1.4.0"
    )
    assert figures["grown"] is None
    assert slower.frame is None


@pytest.mark.parametrize("seed", range(6))
def test_noise_is_no_regression(calls: Calls, seed: int) -> None:
    random = Random(seed)
    for number in range(400):
        for name in ("GET /a", "GET /b", "GET /c"):
            release = OLD if number < 200 else NEW
            calls.call(name, 3400 - number * 8, 20 * random.lognormvariate(0, 1.5), release=release)
    calls.write()
    assert calls.found("regression") == {}


def test_one_bad_minute_is_no_regression(calls: Calls) -> None:
    """Calls of one minute are no independent witnesses."""
    for number in range(600):
        old = number < 300
        stuck = not old and number // 10 == 45
        calls.call("GET /orders", 3400 - number * 5.6, 400 if stuck else 20, release=OLD if old else NEW)
    calls.write()
    assert calls.found("regression") == {}


def test_the_statement_that_grew(calls: Calls) -> None:
    for number in range(600):
        old = number < 300
        ms = 5 if old else 30 + number % 3
        calls.call(
            "GET /orders", 3400 - number * 5.6, 20 + ms, release=OLD if old else NEW,
            spans=[query("SELECT * FROM orders WHERE day = ?", ms, 8), query("SELECT * FROM users", 1, 9)],
            times={"db": round((ms + 1) * MS)}, queries=2,
        )  # fmt: skip
    calls.write()
    found = calls.found("regression")["GET /orders"]
    assert found.statement == "SELECT * FROM orders WHERE day = ?"
    assert found.statement_id
    assert found.frame is not None
    assert (found.frame.file, found.frame.line) == ("shop.py", 8)
    assert found.figures is not None
    grown = found.figures["grown"]
    assert (grown["what"], grown["name"]) == ("statement", "SELECT orders")
    assert grown["change_ms"] == pytest.approx(26, abs=0.1)
    assert found.text.endswith(": SELECT orders takes 26 ms more")


def test_the_function_that_grew(calls: Calls) -> None:
    for number in range(600):
        old = number < 300
        ms = 5 if old else 30 + number % 3
        calls.call(
            "POST /quote", 3400 - number * 5.6, 20 + ms, release=OLD if old else NEW,
            samples=[*samples(ms, "view", "quote", "price"), *samples(20, "view", "render")],
        )  # fmt: skip
    calls.write()
    found = calls.found("regression")["POST /quote"]
    assert found.figures is not None
    grown = found.figures["grown"]
    assert (grown["what"], grown["name"]) == ("function", "price()")
    assert grown["where"] == {"file": "shop.py", "line": 30, "function": "price"}
    assert grown["change_ms"] == pytest.approx(26, abs=0.5)
    assert found.text.endswith(": price() takes 26 ms more")


def test_a_window_wholly_after_the_release_asks_the_time_before_it(calls: Calls) -> None:
    fill(calls, "GET /slower", 40, 55)
    calls.write()
    with sqlite3.connect(calls.path) as raw:
        for version, ago in ((OLD, 7200), (NEW, 1700)):
            raw.execute(
                "UPDATE releases SET first_seen = ? WHERE version = ?", (calls.now - ago * 10**9, version)
            )
    raw.close()
    found = calls.found("regression", "15m")["GET /slower"]
    assert found.figures is not None
    # As long as the window before the release, to the minute.
    assert 120 < found.figures["before"]["calls"] < 190
    assert 120 < found.figures["after"]["calls"] < 190


def test_a_release_of_long_ago_is_still_compared(calls: Calls) -> None:
    """Minutes are kept a week: before that it is asked by the hour."""
    for number in range(400):
        calls.call("GET /slower", (11 if number < 200 else 9) * 86400 + number, 40, release=OLD)
        calls.call("GET /slower", 3000 - number * 7, 60 + number % 3, release=NEW)
    calls.write()
    with sqlite3.connect(calls.path) as raw:
        for version, ago in ((OLD, 20), (NEW, 9)):
            seen = calls.now - ago * 86400 * 10**9
            raw.execute("UPDATE releases SET first_seen = ? WHERE version = ?", (seen, version))
        raw.execute("DELETE FROM rollups WHERE resolution = 60 AND t < ?", (calls.now // 10**9 - 8 * 86400,))
    raw.close()
    assert list(calls.found("regression")) == ["GET /slower"]


def test_a_release_asked_for_is_compared_with_the_one_before(calls: Calls) -> None:
    fill(calls, "GET /slower", 40, 55)
    calls.write()
    assert list(calls.found("regression", release=NEW)) == ["GET /slower"]
    assert calls.found("regression", release=OLD) == {}


def test_one_release_or_too_few_calls_claim_nothing(calls: Calls) -> None:
    fill(calls, "GET /rare", 40, 400, count=25)
    calls.write()
    assert calls.found("regression") == {}
