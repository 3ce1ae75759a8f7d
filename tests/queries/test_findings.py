"""Findings of an endpoint, told once each: with a line where one was seen, growth only where it is seen often."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from apm_agent.model.insight import Insight
from apm_agent.model.profile import Frame
from apm_agent.queries.connection import connect
from apm_agent.queries.finding import Finding
from apm_agent.queries.findings import _told, findings
from apm_agent.queries.rollups import measure
from apm_agent.queries.window import of_range
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, VIEW, process, record

LINE = Frame("recommended", "shop.py", 107)


def finding(
    kind: str, frame: Frame | None, transactions: int, cost_ns: int = 0, cost_bytes: int = 0
) -> Finding:
    return Finding(1, kind, 0, None, frame, transactions, transactions, cost_ns, cost_bytes, "", 9)


def test_what_has_no_line_joins_what_is_like_it_and_has_one() -> None:
    told = _told(
        [finding("memory_growth", None, 2, cost_bytes=50), finding("memory_growth", LINE, 5, cost_bytes=5)]
    )
    assert [(each.frame, each.transactions, each.cost_bytes) for each in told] == [(LINE, 7, 55)]


def test_two_lines_stay_two() -> None:
    other = LINE._replace(line=3)
    told = _told([finding("hot_line", LINE, 2, 10), finding("hot_line", other, 2, 20)])
    assert {each.frame for each in told} == {LINE, other}


def test_memory_kept_by_the_first_calls_is_no_growth() -> None:
    assert _told([finding("memory_growth", LINE, 2, cost_bytes=2**24)]) == []
    assert len(_told([finding("gc_pause", None, 1, 10)])) == 1


@pytest.mark.parametrize(("counts", "worst"), [((9, 2, 2), 0), ((2, 9, 9), 2), ((9, 2, 9), 2)])
@pytest.mark.parametrize("cost_ns", [0, 5])
def test_the_words_are_those_of_the_worst_and_of_equals_of_the_later(
    tmp_path: Path, counts: tuple[int, ...], worst: int, cost_ns: int
) -> None:
    """Calls five hours apart, written the last first: read by the day, the hour and the minute."""
    path, now = tmp_path / "apm.db", time.time_ns()
    store = SQLiteStore(str(path), process())
    for number, count in reversed(list(enumerate(counts))):
        seen = Insight("sequential_calls", f"{count} calls", cost_ns, count, VIEW)
        at = now - (3 - number) * 5 * 3600 * SECOND
        store.write([record(at=at, id=7 + number, insights=[seen])])
    store.close()
    with connect(f"sqlite:///{path}") as connection:
        for name in ("24h", "7d"):
            window = of_range(name)
            [of_one] = findings(connection, window, None, measure(connection, window, None)).values()
            assert [(each.text, each.example) for each in of_one] == [(f"{counts[worst]} calls", 7 + worst)]
