"""Time by kind adds up to the duration, whatever overlaps what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apm_agent.recording.spending import Interval, by_kind, is_nested, own_times

DURATION = 1_000


@st.composite
def intervals(draw: st.DrawFn) -> list[Interval]:
    made: list[Interval] = []
    begins = sorted(draw(st.lists(st.integers(0, DURATION), max_size=12)))
    for at, begin in enumerate(begins):
        end = draw(st.integers(begin, DURATION))
        parent = draw(st.one_of(st.none(), st.integers(0, at - 1))) if at else None
        made.append(
            Interval(begin, end, parent, draw(st.sampled_from(["db", "http", "code", "template", "wait"])))
        )
    return made


def spent(made: list[Interval], pauses: tuple[tuple[int, int], ...] = ()) -> dict[str, int]:
    nested = is_nested(made)
    return by_kind(made, own_times(made, nested), list(pauses), DURATION, nested)


@given(intervals(), st.lists(st.tuples(st.integers(0, 500), st.integers(500, DURATION)), max_size=2))
def test_the_parts_add_up_to_the_duration(made: list[Interval], pauses: list[tuple[int, int]]) -> None:
    times = by_kind(made, own_times(made, is_nested(made)), pauses[:1], DURATION, is_nested(made))
    assert sum(times.values()) == DURATION
    assert all(0 <= ns <= DURATION for ns in times.values())
    assert all(0 <= own <= i.end - i.begin for own, i in zip(own_times(made, False), made, strict=True))


@given(intervals())
def test_the_quick_way_and_the_sweep_agree_where_both_hold(made: list[Interval]) -> None:
    if is_nested(made):
        own = own_times(made, True)
        assert own == own_times(made, False)
        quick = by_kind(made, own, [], DURATION, True)
        assert {k: v for k, v in quick.items() if v} == {
            k: v for k, v in by_kind(made, own, [], DURATION, False).items() if v
        }


def test_a_query_inside_a_template_is_the_querys_time() -> None:
    made = [Interval(100, 500, None, "template"), Interval(200, 300, 0, "db"), Interval(300, 350, 0, "db")]
    assert own_times(made, True) == [250, 100, 50]
    assert spent(made) == {"template": 250, "db": 150, "python": 600}


def test_own_code_spans_are_python() -> None:
    made = [Interval(0, 900, None, "code"), Interval(100, 200, 0, "db")]
    assert spent(made) == {"db": 100, "python": 900}


def test_three_calls_side_by_side_take_the_time_of_one() -> None:
    made = [
        Interval(100, 400, None, "http"),
        Interval(100, 390, None, "http"),
        Interval(110, 400, None, "http"),
    ]
    assert spent(made) == {"http": 300, "python": 700}
    assert own_times(made, is_nested(made)) == [300, 290, 290]


def test_different_kinds_side_by_side_share() -> None:
    made = [Interval(0, 400, None, "http"), Interval(0, 400, None, "db")]
    assert spent(made) == {"http": 200, "db": 200, "python": 600}


def test_a_parent_is_charged_once_for_children_side_by_side() -> None:
    made = [Interval(0, 500, None, "template"), Interval(100, 300, 0, "db"), Interval(200, 400, 0, "db")]
    assert own_times(made, is_nested(made)) == [200, 200, 200]
    assert spent(made) == {"template": 200, "db": 300, "python": 500}


def test_collections_come_before_spans() -> None:
    assert spent([Interval(100, 300, None, "db")], ((200, 250),)) == {"db": 150, "gc": 50, "python": 800}
    assert spent([], ((200, 250),)) == {"gc": 50, "python": 950}


def test_a_thousand_tasks_side_by_side_are_no_trouble() -> None:
    made = [Interval(n % 7, DURATION - n % 5, None, "http") for n in range(2000)]
    assert spent(made)["http"] == DURATION
