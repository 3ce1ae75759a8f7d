"""Calls in a row are told where nothing seen speaks against running them side by side, and nowhere else."""

from __future__ import annotations

from typing import Any

from apm_agent.insights.sequential_calls import sequential_calls
from apm_agent.model.record import SpanRecord
from judging import MS, plain, span
from records import PRICE, VIEW


def call(at: float, ms: float, host: str = "api.one", path: str | None = None, **fields: Any) -> SpanRecord:
    made = {"tags": {"url": f"http://{host}/{path or at}", "status": 200}, **fields}
    return span("http", ms, f"{made.pop('verb', 'GET')} {host}", at, **made)


def three(**second: Any) -> list[SpanRecord]:
    return [call(0, 60), call(61, 90, **second), call(152, 50)]


def told(spans: list[SpanRecord]) -> list[str]:
    return [found.text for found in sequential_calls(plain(500, spans=spans))]


def test_three_in_a_row_could_save_all_but_the_longest() -> None:
    [found] = sequential_calls(plain(400, spans=three(where=PRICE)))
    assert found.text == "3 calls one after another could overlap, up to 110 ms less"
    assert (found.where, found.cost_ns, found.count) == (VIEW, 110 * MS, 3)


def test_two_do_for_two_hosts() -> None:
    assert told([call(0, 60), call(60, 60, "api.two")]) == [
        "2 calls to 2 hosts one after another could overlap, up to 60 ms less"
    ]
    assert told([call(0, 100), call(100, 100)]) == []


def test_little_to_save_is_nothing() -> None:
    assert told([call(0, 20), call(20, 200), call(220, 20)]) == []


def test_what_speaks_against_it_ends_the_row() -> None:
    assert told(three()), "but for what differs below"
    assert not told([call(0, 60), call(70, 90), call(170, 50)]), (
        "time between, in which something was made of it"
    )
    assert not told(three(verb="POST")), "it may change what the next one asks for"
    assert not told(three(tags={"status": 302})), "the next one goes where it said"
    assert not told(three(tags={"error": "ConnectTimeout"}))
    assert not told(three(open=True))
    assert not told(three(where=None)), "not from own code"
    between = span("db", 0.5, at=60.2)
    assert not told([*three(), between]), "a query that may have used the answer"


def test_the_same_address_again_may_be_the_next_page() -> None:
    pages = [call(at, 50, path="pages") for at in (0, 51, 102, 153)]
    assert not told(pages)
    assert told([page._replace(where=VIEW if n % 2 else PRICE) for n, page in enumerate(pages)])


def test_calls_beside_each_other_overlap_already() -> None:
    assert not told([call(0, 60), call(1, 60, "api.two"), call(62, 60), call(62.5, 60, "api.two")])
    assert not told(
        [call(0, 200), call(10, 50, "api.two"), call(61, 50, "api.three"), call(112, 50, "api.four")]
    )


def test_blocks_of_the_users_own_are_looked_into_and_clients_below_clients_are_not() -> None:
    block = span("code", 62, "fetch")
    inside = [call(0, 60, parent=0), call(61, 90, parent=2), call(152, 50, parent=4)]
    blocks = [block, inside[0], block._replace(offset_ns=61 * MS), inside[1], block, inside[2]]
    assert told(blocks) == ["3 calls one after another could overlap, up to 110 ms less"]
    outer = call(0, 250)
    assert not told([outer, *(one._replace(parent=0) for one in three())])


def test_two_rows_are_told_apart_the_costlier_first() -> None:
    later = [call(300 + at, 60) for at in (0, 60, 120)]
    assert [text[-11:] for text in told([*three(), span("db", 1, at=250), *later])] == [
        "120 ms less",
        "110 ms less",
    ]
