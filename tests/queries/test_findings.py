"""Findings of an endpoint, told once each: with a line where one was seen, growth only where it is seen often."""

from __future__ import annotations

from apm_agent.model.profile import Frame
from apm_agent.queries.finding import Finding
from apm_agent.queries.findings import _told

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
