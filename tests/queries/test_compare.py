"""Comparisons: planted changes are found, scaling is exact, and too little is not ranked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apm_agent.errors import QuestionError
from apm_agent.model.profile import RUNNING, Frame
from apm_agent.model.record import FailureRecord, Record, SampleRecord, SpanRecord
from apm_agent.queries.compare import compare
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.difference import flame, functions
from apm_agent.queries.profile import Profiled, Weighed
from apm_agent.queries.sides import Wanted, side, whole
from apm_agent.queries.usual import usual
from apm_agent.queries.window import Window, of_range
from apm_agent.store.sqlite import SQLiteStore
from records import process, record

MS = 1_000_000
HOUR = 3600 * 10**9
VIEW = Frame("orders", "shop.py", 7, "app", "/srv/shop.py")
PRICE = Frame("price", "shop.py", 21, "app", "/srv/shop.py")
MOVED = PRICE._replace(line=30)
TAX = Frame("tax", "shop.py", 50, "app", "/srv/shop.py")
OLD, KEPT, NEW = "SELECT * FROM old", "SELECT * FROM customer WHERE id = ?", "SELECT * FROM tax WHERE id = ?"

Opened = Callable[[Path], Connection]


@pytest.fixture
def opened() -> Iterator[Opened]:
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(connect(f"sqlite:///{path}"))


def call(
    name: str, ms: int, stacks: dict[tuple[Frame, ...], int], queries: Sequence[str], **more: Any
) -> Record:
    """A transaction of so many ms, with ms by stack in samples of 1 ms, and a query of 1 ms for each text."""
    samples = [
        SampleRecord(at * MS, MS, stack, RUNNING) for stack, weight in stacks.items() for at in range(weight)
    ]
    spans = [
        SpanRecord(None, "db", "SELECT", at * MS, MS, MS, text, VIEW, None, False)
        for at, text in enumerate(queries)
    ]
    made = {"duration_ns": ms * MS, "samples": samples, "spans": spans, "queries": len(spans), "insights": []}
    return record(name, **made | more)


def keep(path: Path, records: list[Record], **fields: Any) -> Path:
    store = SQLiteStore(str(path), process(**fields))
    store.write(records)
    store.close()
    return path


@pytest.fixture
def before(tmp_path: Path) -> Path:
    orders = [call("GET /orders", 20, {(VIEW, PRICE): 10, (VIEW,): 2}, [KEPT, KEPT, OLD]) for _ in range(40)]
    return keep(tmp_path / "before.db", [*orders, *(call("GET /gone", 5, {}, []) for _ in range(30))])


@pytest.fixture
def after(tmp_path: Path) -> Path:
    orders = [
        call("GET /orders", 50, {(VIEW, MOVED): 30, (VIEW,): 2, (VIEW, MOVED, TAX): 5}, [KEPT] * 8 + [NEW])
        for _ in range(60)
    ]
    return keep(
        tmp_path / "after.db", [*orders, *(call("GET /new", 5, {}, []) for _ in range(29))], service="shop2"
    )


def both(opened: Opened, a: Path, b: Path, **wanted: str) -> dict[str, Any]:
    return compare(*(whole(opened(path), path.name, Wanted(**wanted)) for path in (a, b)))  # type: ignore[arg-type]


def changed(before: float, after: float, change: float | None) -> dict[str, Any]:
    """A figure without scatter: any change of it is certain, unless nothing is ranked."""
    sureness = None if change is None else 99.0 if change > 0 else -99.0
    return {
        "before": before, "after": after, "change": change, "sureness": sureness, "significant": change is not None,
    }  # fmt: skip


def by(rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


# ------------------------------------------------------------------------------------------ planted changes


def test_the_endpoints_that_changed(before: Path, after: Path, opened: Opened) -> None:
    found = both(opened, before, after)
    rows = by(found["endpoints"], "name")
    assert found["endpoints"][0] is rows["GET /orders"]
    orders = rows["GET /orders"]
    assert (orders["status"], orders["thin"]) == ("changed", False)
    assert (orders["before"]["mean_ms"], orders["after"]["mean_ms"], orders["change_ms"]) == (
        20.0,
        50.0,
        30.0,
    )
    assert orders["cost_ms"] == 60 * 30.0
    assert orders["p95_change"] == pytest.approx(1.5, abs=0.05)
    assert rows["GET /gone"]["status"] == "vanished"
    assert rows["GET /new"]["status"] == "appeared"
    assert rows["GET /new"]["thin"]
    assert rows["GET /new"]["change_ms"] is None


def test_the_functions_that_changed(before: Path, after: Path, opened: Opened) -> None:
    found = both(opened, before, after, name="GET /orders")
    assert (found["a"]["count"], found["b"]["count"], found["thin"]) == (40, 60, False)
    rows = by(found["functions"], "function")
    price, tax, view = rows["price"], rows["tax"], rows["orders"]
    # The function is one, though its line has moved; the line shown is the one after.
    assert (price["before"]["own_ms"], price["after"]["own_ms"], price["line"]) == (10.0, 30.0, 30)
    assert (price["before"]["total_ms"], price["after"]["total_ms"]) == (10.0, 35.0)
    assert (price["before"]["own_samples"], price["after"]["own_samples"]) == (400, 1800)
    assert (tax["before"]["total_ms"], tax["after"]["own_ms"]) == (0.0, 5.0)
    assert (view["own_change_ms"], view["total_change_ms"]) == (0.0, 25.0)
    assert found["functions"][0] is price
    assert price["significant"]
    assert tax["significant"]


def test_the_queries_that_changed(before: Path, after: Path, opened: Opened) -> None:
    found = both(opened, before, after, name="GET /orders")
    rows = by(found["statements"], "text")
    assert [row["status"] for row in found["statements"]] == ["appeared", "vanished", "changed"]
    assert rows[NEW]["status"] == "appeared"
    assert rows[OLD]["status"] == "vanished"
    kept = rows[KEPT]
    assert (kept["before"]["runs_per_call"], kept["after"]["runs_per_call"]) == (2.0, 8.0)
    assert kept["change_ms"] == pytest.approx(6.0)
    assert kept["where"] == {"file": "shop.py", "line": 7, "function": "orders"}


def test_the_figures_and_the_histograms(before: Path, after: Path, opened: Opened) -> None:
    found = both(opened, before, after, name="GET /orders")
    kpi = found["kpi"]
    assert kpi["mean_ms"] == changed(20.0, 50.0, 1.5)
    # All calls lie in one cell: how queries scatter between cells is not known, and nothing is claimed of it.
    queries = kpi["queries_per_call"]
    assert (queries["change"], queries["sureness"], queries["significant"]) == (2.0, None, False)
    assert kpi["count"] == changed(40, 60, None)
    assert kpi["error_rate"]["before"] == 0.0
    histogram = found["histogram"]
    assert (sum(histogram["before"]), sum(histogram["after"])) == (40, 60)
    assert len(histogram["edges_ms"]) == len(histogram["before"]) + 1 == len(histogram["after"]) + 1


def test_the_difference_flame(before: Path, after: Path, opened: Opened) -> None:
    tree = both(opened, before, after, name="GET /orders")["flame"]
    nodes, frames = tree["nodes"], tree["frames"]
    assert tree["calls"] == {"before": 40, "after": 60}
    names = ["all" if at < 0 else frames["function"][at] for at in nodes["frame"]]
    assert names == ["all", "orders", "price", "tax"]
    assert nodes["parent"] == [-1, 0, 1, 2]
    assert nodes["before_ns"] == [12 * MS, 12 * MS, 10 * MS, 0]
    assert nodes["after_ns"] == [37 * MS, 37 * MS, 35 * MS, 5 * MS]
    assert nodes["before_own_ns"] == [0, 2 * MS, 10 * MS, 0]
    assert nodes["after_own_ns"] == [0, 2 * MS, 30 * MS, 5 * MS]


def test_a_store_beside_itself_shows_no_change(before: Path, opened: Opened) -> None:
    found = both(opened, before, before)
    assert all(pair["change"] in (0.0, None) for pair in found["kpi"].values())
    assert not [row for row in found["functions"] if row["significant"] or row["own_change_ms"]]
    assert {row["status"] for row in found["statements"]} == {"same"}
    assert {row["status"] for row in found["endpoints"]} == {"same"}


# ------------------------------------------------------------------------------------------ sides


def test_two_releases(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "apm.db"
    keep(path, [call("GET /orders", 20, {(VIEW, PRICE): 10}, [KEPT]) for _ in range(30)], release="1.0")
    keep(path, [call("GET /orders", 10, {(VIEW, PRICE): 5}, [KEPT]) for _ in range(50)], release="1.1", pid=7)
    connection = opened(path)
    found = compare(*(side(connection, f"release:{version}") for version in ("1.0", "1.1")))  # type: ignore[arg-type]
    assert found["kpi"]["mean_ms"] == changed(20.0, 10.0, -0.5)
    assert (found["a"]["label"], found["b"]["count"]) == ("release:1.0", 50)


def test_a_window_and_the_one_before(tmp_path: Path, opened: Opened) -> None:
    now = time.time_ns()
    hour = [call("GET /orders", 10, {(VIEW,): 5}, [], at=now - HOUR // 4) for _ in range(40)]
    earlier = [call("GET /orders", 30, {(VIEW,): 15}, [], at=now - HOUR - HOUR // 2) for _ in range(35)]
    connection = opened(keep(tmp_path / "apm.db", hour + earlier))
    found = compare(side(connection, "before:1h"), side(connection, "range:1h"))
    assert (found["a"]["count"], found["b"]["count"]) == (35, 40)
    assert found["kpi"]["mean_ms"]["change"] == pytest.approx(-0.667, abs=0.001)
    start = (now - 2 * HOUR) // 10**9
    named = side(connection, f"range:{start}..{start + 3600}")
    assert compare(named, side(connection, "range:1h"))["a"]["count"] == 35


def test_two_transactions(tmp_path: Path, opened: Opened) -> None:
    slow = call("GET /orders", 90, {(VIEW, PRICE): 80}, [KEPT] * 4, kept="slow")
    fast = call("GET /orders", 20, {(VIEW, PRICE): 10}, [KEPT], kept="slow")
    connection = opened(keep(tmp_path / "apm.db", [slow, fast]))
    found = compare(*(side(connection, f"tx:{each.id:x}") for each in (fast, slow)))  # type: ignore[arg-type]
    assert found["thin"]
    assert found["kpi"]["mean_ms"] == changed(20.0, 90.0, None)
    assert found["kpi"]["p95_ms"]["before"] is None
    (price,) = [row for row in found["functions"] if row["function"] == "price"]
    assert (price["before"]["own_ms"], price["after"]["own_ms"], price["significant"]) == (10.0, 80.0, False)
    (query,) = found["statements"]
    assert (query["before"]["runs"], query["after"]["runs"], query["status"]) == (1, 4, "changed")
    assert found["endpoints"] == []
    assert found["a"]["transaction"] == f"{fast.id:016x}"


def test_two_endpoints_of_one_window(before: Path, opened: Opened) -> None:
    connection = opened(before)
    found = compare(*(side(connection, "range:1h", Wanted(name)) for name in ("GET /gone", "GET /orders")))  # type: ignore[arg-type]
    assert found["kpi"]["mean_ms"] == changed(5.0, 20.0, 3.0)
    assert [found[name]["endpoint"]["route"] for name in "ab"] == ["/gone", "/orders"]
    assert {row["status"] for row in found["statements"]} == {"appeared"}
    assert found["endpoints"] == []


def test_spans_and_time_by_kind(tmp_path: Path, opened: Opened) -> None:
    slow = call("GET /orders", 90, {}, [KEPT] * 4, kept="slow", times={"db": 4 * MS})
    fast = call("GET /orders", 20, {}, [KEPT], kept="slow", times={"db": MS})
    connection = opened(keep(tmp_path / "apm.db", [slow, fast]))
    found = compare(*(side(connection, f"tx:{each.id:x}") for each in (fast, slow)))  # type: ignore[arg-type]
    db = by(found["kinds"], "kind")["db"]
    assert (db["before_ms"], db["after_ms"], db["before_spans"], db["after_spans"]) == (1.0, 4.0, 1, 4)
    assert found["a"]["trace"]["duration_ms"] == 20.0
    assert found["b"]["endpoint"]["name"] == "GET /orders"
    (query,) = found["statements"]
    assert int(query["id"]) > 0


def spread(path: Path, days: int, ms: list[int], **fields: Any) -> Path:
    """Ten calls a minute, each minute's of one duration, so long ago."""
    start = time.time_ns() // 60_000_000_000 * 60_000_000_000 - days * 24 * HOUR
    records = [
        call("GET /", each, {}, [], at=start + minute * 60_000_000_000)
        for minute, each in enumerate(ms)
        for _ in range(10)
    ]
    return keep(path, records, **fields)


def test_a_slow_minute_is_one_witness(tmp_path: Path, opened: Opened) -> None:
    """Hundreds of calls in it are no evidence; the same in every minute is."""
    path = tmp_path / "apm.db"
    spread(path, 2, [10, 11] * 15, release="1.0")
    spread(path, 2, [10, 11] * 14 + [10, 60], release="1.1", pid=7)
    spread(path, 2, [15, 16] * 15, release="1.2", pid=8)
    connection = opened(path)
    edge = int(time.time()) - 2 * 86400
    window = Window(edge // 60 * 60 - 120, edge + 3600, None, False)
    one, two, three = (side(connection, f"release:{each}", span=window) for each in ("1.0", "1.1", "1.2"))
    slow_minute, slower = compare(one, two)["kpi"], compare(one, three)["kpi"]
    assert slow_minute["mean_ms"]["change"] > 0.1
    assert not any(figure["significant"] for figure in slow_minute.values())
    assert all(slower[name]["significant"] for name in ("mean_ms", "p50_ms", "p95_ms"))
    assert slower["p50_ms"]["sureness"] > 3


def test_of_three_minutes_three_deviations_are_not_much(tmp_path: Path, opened: Opened) -> None:
    """Six times as far from none as they scatter, but between three minutes a side: once in hundreds by chance."""
    path = tmp_path / "apm.db"
    spread(path, 2, [10, 11, 12], release="1.0")
    spread(path, 2, [14, 15, 16], release="1.1", pid=7)
    connection = opened(path)
    edge = int(time.time()) - 2 * 86400
    window = Window(edge // 60 * 60 - 120, edge + 3600, None, False)
    mean = compare(*(side(connection, f"release:{each}", span=window) for each in ("1.0", "1.1")))["kpi"][
        "mean_ms"
    ]  # type: ignore[arg-type]
    assert 2 < mean["sureness"] < 3
    assert not mean["significant"]


def test_the_times_whose_samples_are_read_are_told(tmp_path: Path, opened: Opened) -> None:
    connection = opened(keep(tmp_path / "apm.db", [call("GET /", 5, {(VIEW,): 5}, [])]))
    now = int(time.time()) // 60 * 60
    sides = [side(connection, f"range:{at}..{at + 60}") for at in (now - 120, now)]
    found = compare(*sides)  # type: ignore[arg-type]
    spans = [found[name]["profiled"] for name in "ab"]
    assert all(span is None or span["from"] % 600 == 0 for span in spans)
    assert spans[1]["from"] <= now


def test_more_failures_are_significant(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "apm.db"
    for pid, (release, failing) in enumerate((("1.0", 2), ("1.1", 3), ("1.2", 30))):
        failure = FailureRecord("ValueError", "bad", None)
        calls = [call("GET /", 10, {}, [], failure=failure if at < failing else None) for at in range(100)]
        keep(path, calls, release=release, pid=pid + 1)
    connection = opened(path)
    one, two, three = (side(connection, f"release:{each}") for each in ("1.0", "1.1", "1.2"))
    few, many = compare(one, two)["kpi"]["error_rate"], compare(one, three)["kpi"]["error_rate"]
    assert (few["before"], few["after"], few["significant"]) == (0.02, 0.03, False)
    assert (many["after"], many["significant"]) == (0.3, True)
    assert many["sureness"] == pytest.approx(
        5.21, abs=0.02
    )  # t = 0.28 / sqrt(0.16 * 0.84 / 50), of 200 calls


# ------------------------------------------------------------------------------------------ where none is named


def test_this_window_and_the_one_before_unless_releases_are_asked_for(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "apm.db"
    now = time.time_ns()
    for pid, release in enumerate(("1.0", "1.1", "1.2")):
        keep(path, [record()], release=release, pid=pid + 1, started_at=now + pid * 10**9)
    connection = opened(path)
    hour = of_range("1h")
    assert usual(connection, "", hour) == ("before:1h", "range:1h")
    assert usual(connection, "release", hour) == ("release:1.1", "release:1.2")
    assert usual(connection, "", hour, release="1.1") == ("release:1.0", "release:1.1")
    assert usual(connection, "", Window(1800000000, 1800000600, None, False)) == (
        "range:1799999400..1800000000",
        "range:1800000000..1800000600",
    )
    with pytest.raises(QuestionError, match=r"'1\.0' is the first one"):
        usual(connection, "", hour, release="1.0")
    with pytest.raises(QuestionError, match="by='x' is not one of window, release"):
        usual(connection, "x", hour)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yesterday", "'yesterday' is nothing to compare"),
        ("/etc/passwd", "is nothing to compare: write range:6h"),
        ("range:", "is nothing to compare"),
        ("range:9x", "range='9x'"),
        ("range:5..", "from='5'"),
        ("before:9x", "range='9x'"),
        ("release:9.9", "there is no release '9.9' in the store; there are '1.4.0'"),
        ("tx:zz", "id='zz'"),
        ("tx:1", "is not in the store"),
    ],
)
def test_r39_what_cannot_be_compared_is_named(text: str, words: str, before: Path, opened: Opened) -> None:
    with pytest.raises(QuestionError, match=words):
        side(opened(before), text)


def test_nothing_on_either_side_is_said(before: Path, opened: Opened) -> None:
    with pytest.raises(QuestionError, match="neither side has a transaction"):
        both(opened, before, before, name="GET /nothing")


def test_the_profile_is_of_the_calls_its_rollups_cover(tmp_path: Path, opened: Opened) -> None:
    """A window of 15 minutes begins at a full minute, its profile at full ten minutes: calls between count too."""
    now = time.time_ns()
    window = side(opened(keep(tmp_path / "x.db", [record()])), "range:15m")
    start = window.window.start  # type: ignore[union-attr]
    edge = start // 600 * 600 * 10**9
    records = [
        call("GET /orders", 10, {(VIEW,): 4}, [], at=at) for at in (edge + 1, now - 10**9) for _ in range(20)
    ]
    found = side(opened(keep(tmp_path / "apm.db", records)), "range:15m")
    (profiled,) = found.profiled()
    assert (profiled.transactions, profiled.total_ns) == (40, 40 * 4 * MS)


# ------------------------------------------------------------------------------------------ too little to rank


def test_under_thirty_calls_nothing_is_ranked(tmp_path: Path, after: Path, opened: Opened) -> None:
    few = keep(
        tmp_path / "few.db", [call("GET /orders", 20, {(VIEW, PRICE): 10}, [KEPT, OLD]) for _ in range(29)]
    )
    found = both(opened, few, after, name="GET /orders")
    assert found["thin"]
    assert (
        found["why_thin"]
        == "29 calls before and 60 after: under 30 a side nothing is ranked and no change is claimed"
    )
    assert {pair["change"] for pair in found["kpi"].values()} == {None}
    assert not any(row["significant"] for row in found["functions"])
    names = [(row["file"], row["function"]) for row in found["functions"]]
    assert names == sorted(names)
    (row,) = found["endpoints"]
    assert (row["thin"], row["status"], row["p95_change"]) == (True, "same", None)


def test_a_few_heavy_calls_more_are_chance(tmp_path: Path, opened: Opened) -> None:
    """Seven against fifteen runs of a heavy job among a thousand calls: thousands of samples, and no evidence."""
    light = [call("GET /", 5, {(VIEW,): 1}, []) for _ in range(300)]
    heavy = [call("nightly", 900, {(PRICE,): 900}, [], kind="background") for _ in range(15)]
    a = keep(tmp_path / "a.db", light + heavy[:7])
    b = keep(tmp_path / "b.db", [call("GET /", 5, {(VIEW,): 1}, []) for _ in range(300)] + heavy[7:] + [
        call("nightly", 900, {(PRICE,): 900}, [], kind="background") for _ in range(7)
    ])  # fmt: skip
    row = by(both(opened, a, b)["functions"], "function")["price"]
    assert row["own_change_ms"] > 15
    assert not row["significant"]


# ------------------------------------------------------------------------------------------ exact scaling

FRAMES = st.builds(Frame, st.sampled_from("abc"), st.just("x.py"), st.integers(1, 2))
STACKS = st.lists(FRAMES, max_size=4).map(tuple)
PARTS = st.builds(
    Profiled,
    st.lists(st.builds(Weighed, STACKS, st.just(0), st.integers(1, 3), st.integers(1, 10**15)), max_size=6),
    st.integers(1, 10**6),
)
SIDES = st.lists(PARTS, min_size=1, max_size=3)


def _expected(parts: list[Profiled], path: tuple[str, ...], own: bool) -> float:
    ns = sum(
        weighed.weight_ns
        for part in parts
        for weighed in part.stacks
        if (names := tuple(frame.function for frame in weighed.stack))[: len(path)] == path
        and (not own or names == path)
    )
    return float(Fraction(ns, sum(part.transactions for part in parts)))


@given(before=SIDES, after=SIDES)
def test_the_flame_is_scaled_exactly(before: list[Profiled], after: list[Profiled]) -> None:
    tree = flame(before, after, 0.0)
    nodes, frames = tree["nodes"], tree["frames"]["function"]
    paths: list[tuple[str, ...]] = []
    for parent, frame in zip(nodes["parent"], nodes["frame"], strict=True):
        paths.append((*paths[parent], frames[frame]) if parent >= 0 else ())
    assert len(set(paths)) == len(paths)
    for at, path in enumerate(paths):
        assert nodes["before_ns"][at] == _expected(before, path, False)
        assert nodes["after_ns"][at] == _expected(after, path, False)
        assert nodes["before_own_ns"][at] == _expected(before, path, True)
        assert nodes["after_own_ns"][at] == _expected(after, path, True)


@given(before=SIDES, after=SIDES, thin=st.booleans())
def test_functions_are_scaled_exactly(before: list[Profiled], after: list[Profiled], thin: bool) -> None:
    for row in functions(before, after, thin):
        for name, parts in (("before", before), ("after", after)):
            calls = sum(part.transactions for part in parts)
            stacks = [
                ([frame.function for frame in weighed.stack], weighed.weight_ns)
                for part in parts
                for weighed in part.stacks
            ]
            own = sum(ns for names, ns in stacks if names and names[-1] == row["function"])
            total = sum(ns for names, ns in stacks if row["function"] in names)
            assert row[name]["own_ms"] == float(Fraction(own, calls)) / 1e6
            assert row[name]["total_ms"] == float(Fraction(total, calls)) / 1e6


@pytest.mark.parametrize("thin", [False, True])
def test_what_changed_equally_is_in_the_order_of_its_name(thin: bool) -> None:
    """Sets have another order in each process: reloading a page may not move its rows, nor swap which are cut."""
    stacks = [Weighed((VIEW, VIEW._replace(function=f"f{n:03}")), RUNNING, 1, MS) for n in range(300)]
    once = Profiled(stacks, 40)
    orders = [functions([once._replace(stacks=some)], [once], thin) for some in (stacks, stacks[::-1])]
    names = [row["function"] for row in orders[0] if row["function"] != "orders"]
    assert names == [f"f{n:03}" for n in range(len(names))]
    assert orders[0] == orders[1]


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # of a busy machine, not of what is tested
@given(before=SIDES, after=SIDES, prune=st.floats(0, 0.5))
def test_pruning_takes_only_what_is_small_on_both_sides(
    before: list[Profiled], after: list[Profiled], prune: float
) -> None:
    whole_tree, cut = flame(before, after, 0.0)["nodes"], flame(before, after, prune)["nodes"]
    least = prune * max(whole_tree["before_ns"][0], whole_tree["after_ns"][0])
    large = [
        pair
        for pair in zip(whole_tree["before_ns"], whole_tree["after_ns"], strict=True)
        if max(pair) >= least
    ]
    kept = list(zip(cut["before_ns"], cut["after_ns"], strict=True))
    assert sorted(kept[1:]) == sorted(
        large[1:] if max(whole_tree["before_ns"][0], whole_tree["after_ns"][0]) else []
    )
