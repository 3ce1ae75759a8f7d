"""Two speeds are told with their shares, typical times and what is known to differ; of one mode never."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.model.histogram import Histogram
from apm_agent.queries.speeds import SURE, split
from calls import MS, Calls

FAST, SLOW = 10.0, 120.0


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path)


def spread(random: Random, typical: float, sigma: float = 0.15) -> float:
    return typical * random.lognormvariate(0, sigma)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(100, 4000),
    median_ms=st.floats(0.05, 5000),
    sigma=st.floats(0.01, 2.5),
)
def test_log_normal_durations_have_one_speed(seed: int, count: int, median_ms: float, sigma: float) -> None:
    random = Random(seed)
    made = Histogram(int(median_ms * MS * random.lognormvariate(0, sigma)) for _ in range(count))
    assert split(made) is None


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(100, 4000),
    shape=st.sampled_from(["uniform", "pareto", "exp"]),
)
def test_other_single_modes_have_one_speed_too(seed: int, count: int, shape: str) -> None:
    random = Random(seed)
    draws: dict[str, Callable[[], float]] = {
        "uniform": lambda: random.uniform(1, 300),
        "pareto": lambda: 5 * random.paretovariate(1.1),
        "exp": lambda: 1 + random.expovariate(1 / 50),
    }
    draw = draws[shape]
    assert split(Histogram(int(draw() * MS) for _ in range(count))) is None


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32), share=st.floats(0.2, 0.7), times=st.floats(6, 100), sigma=st.floats(0.02, 0.2)
)
def test_two_clear_modes_are_found(seed: int, share: float, times: float, sigma: float) -> None:
    random = Random(seed)
    slow = [random.random() < share for _ in range(1000)]
    durations = [spread(random, FAST * (times if each else 1), sigma) for each in slow]
    found = split(Histogram(int(each * MS) for each in durations))
    assert found is not None
    assert found.chance < SURE
    assert found.slow == pytest.approx(sum(slow), abs=5)  # a few of one speed are nearer to the other
    assert found.fast_ns == pytest.approx(FAST * MS, rel=0.1)
    assert found.slow_ns == pytest.approx(FAST * times * MS, rel=0.1)


def test_too_few_too_rare_or_too_small_a_difference_is_not_told() -> None:
    def made(fast: int, slow: int, slow_ms: float = SLOW, fast_ms: float = FAST) -> Histogram:
        histogram = Histogram()
        histogram.add(round(fast_ms * MS), fast)
        histogram.add(round(slow_ms * MS), slow)
        return histogram

    assert split(made(500, 500)) is not None
    assert split(made(45, 45)) is None
    assert split(made(9_600, 400)) is None
    assert split(made(1_500, 8_500)) is None
    assert split(made(500, 500, fast_ms=0.5, slow_ms=4)) is None
    assert split(made(500, 500, slow_ms=FAST * 1.8)) is None
    assert split(Histogram()) is None


def fill(calls: Calls, name: str, slowly: Any, **fields: Any) -> None:
    random = Random(5)
    for number in range(600):
        slow = number % 4 == 0
        given = {key: value(slow, number) for key, value in fields.items()}
        calls.call(name, 3400 - number * 5, spread(random, slowly if slow else FAST), **given)


def test_what_they_differ_in_is_told_where_it_is_known(calls: Calls) -> None:
    fill(calls, "GET /status", SLOW, status=lambda slow, _: 200 if slow else 304)
    fill(calls, "GET /worker", SLOW, pid=lambda slow, number: 1004 if slow else 1001 + number % 3)
    fill(calls, "GET /release", SLOW, release=lambda slow, _: "1.5.0" if slow else "1.4.0")
    fill(calls, "GET /db", SLOW, times=lambda slow, _: {"db": round((100 if slow else 3) * MS)})
    fill(calls, "GET /python", SLOW, status=lambda _, number: 200 + number % 3)
    fill(calls, "GET /waits", SLOW, times=lambda slow, _: {"db": 45 * MS, "http": 45 * MS} if slow else {})
    calls.write()
    found = calls.found("two_speeds")
    differ = {name: each.figures["differ"] for name, each in found.items() if each.figures}
    assert len(differ) == 6

    def of(name: str, what: str) -> list[Any]:
        return [(each["slow"], each["fast"]) for each in differ[name] if each["what"] == what]

    assert of("GET /status", "status") == [(["200"], ["304"])]
    assert of("GET /worker", "worker") == [(["here:1004"], ["here:1001", "here:1002", "here:1003"])] or of(
        "GET /worker", "worker"
    )[0][0] == ["here:1004"]
    assert of("GET /release", "release") == [(["1.5.0"], ["1.4.0"])]
    assert of("GET /release", "worker") == []
    assert of("GET /db", "db") == [(100.0, 3.0)]
    assert [each["what"] for each in differ["GET /python"]] == ["python"]
    assert differ["GET /waits"] == []  # neither made most of it
    typical = found["GET /status"]
    assert typical.figures is not None
    assert typical.transactions == typical.figures["slow"]["calls"] == 150
    assert typical.figures["slow"]["share"] == 0.25
    assert typical.figures["slow"]["typical_ms"] == pytest.approx(SLOW, rel=0.05)
    assert typical.figures["fast"]["typical_ms"] == pytest.approx(FAST, rel=0.05)
    assert typical.cost_ns == pytest.approx(150 * (SLOW - FAST) * MS, rel=0.05)
    assert typical.text.startswith("25 % of the calls take about 1")
    assert "status 200 where the others have 304" in typical.text


def test_one_speed_that_scatters_is_not_told(calls: Calls) -> None:
    random = Random(2)
    for number in range(2000):
        calls.call("GET /wide", 3400 - number, 30 * math.exp(random.gauss(0, 0.9)))
        calls.call("WS /live", 3400 - number, FAST if number % 2 else SLOW, kind="websocket")
    calls.write()
    assert calls.found("two_speeds") == {}
