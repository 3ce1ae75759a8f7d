"""The histogram keeps its bound, whatever is counted and however it is merged."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from apm_agent.model.histogram import ERROR, Histogram, bucket_of, edge, merge_bytes, middle

durations = st.lists(st.integers(min_value=2, max_value=2**62), min_size=1, max_size=200)


def exact(values: list[int], q: float) -> int:
    return sorted(values)[int(q * (len(values) - 1))]


@given(durations, st.floats(min_value=0, max_value=1))
def test_a_quantile_is_within_the_bound(values: list[int], q: float) -> None:
    truth = exact(values, q)
    answer = Histogram(values).quantile(q)
    assert answer is not None
    # half a nanosecond is the rounding to whole ones
    assert abs(answer - truth) <= ERROR * truth * (1 + 1e-9) + 0.5


@given(st.lists(durations, min_size=1, max_size=8), st.randoms())
def test_any_tree_of_merges_equals_counting_all_at_once(parts: list[list[int]], order: random.Random) -> None:
    blobs = [Histogram(part).to_bytes() for part in parts]
    while len(blobs) > 1:
        order.shuffle(blobs)
        blobs.append(merge_bytes(blobs.pop(), blobs.pop()))
    together = Histogram([value for part in parts for value in part])
    assert Histogram.from_bytes(blobs[0]).counts == together.counts
    assert blobs[0] == together.to_bytes()


@given(st.integers(min_value=2, max_value=2**62))
def test_a_bucket_holds_what_falls_into_it(ns: int) -> None:
    bucket = bucket_of(ns)
    assert edge(bucket) * (1 - 1e-12) <= ns <= edge(bucket + 1) * (1 + 1e-12)


def test_dense_and_sparse_say_the_same() -> None:
    many = Histogram(range(1000, 10_000_000, 997))
    few = Histogram([5_000_000] * 300)
    both = merge_bytes(many.to_bytes(), few.to_bytes())
    assert Histogram.from_bytes(both).count == many.count + 300
    assert merge_bytes(few.to_bytes(), many.to_bytes()) == both
    held = Histogram.from_bytes(both)
    held.merge(many)
    assert held.count == 2 * many.count + 300


def test_nothing_counted_is_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    assert Histogram.from_bytes(b"").count == 0
    assert merge_bytes(b"", Histogram([7]).to_bytes()) == Histogram([7]).to_bytes()
    assert Histogram().share_below(5) is None


def test_zero_negative_and_endless_durations_have_a_bucket() -> None:
    held = Histogram([-5, 0, 1, 2**80])
    assert held.counts[0] == 3
    assert held.count == 4
    assert middle(0) == 1


def test_a_count_past_the_width_stays_at_the_top() -> None:
    held = Histogram()
    held.add(1000, 2**40)
    assert Histogram.from_bytes(held.to_bytes()).count == 2**32 - 1


def test_the_share_below_a_duration() -> None:
    held = Histogram([1_000_000] * 99 + [50_000_000])
    assert held.share_below(50_000_000) == 0.99
    assert held.share_below(1) == 0


def test_dense_lanes_never_run_over_into_their_neighbours() -> None:
    held = Histogram(range(1000, 10_000_000, 997))
    for bucket in list(held.counts):
        held.add(middle(bucket), 2**32 - 2)
    doubled = Histogram.from_bytes(merge_bytes(held.to_bytes(), held.to_bytes()))
    assert set(doubled.counts.values()) == {2**32 - 1}


@given(
    st.lists(st.tuples(durations, st.sampled_from(["counted", "bytes", "settled"])), min_size=1, max_size=5)
)
def test_to_read_or_to_add_one_changes_no_other(parts: list[tuple[list[int], str]]) -> None:
    kept = []
    for values, form in parts:
        made = Histogram(values) if form == "counted" else Histogram.from_bytes(Histogram(values).to_bytes())
        kept.append(made.settle() if form == "settled" else made)
    whole = Histogram()
    for each in kept:
        whole.merge(each)
    every = [value for values, _ in parts for value in values]
    for _ in range(2):
        assert whole.counts == Histogram(every).counts
        assert whole.quantiles((0.0, 0.5, 1.0)) == Histogram(every).quantiles((0.0, 0.5, 1.0))
        assert whole.to_bytes() == Histogram(every).to_bytes()
        for each, (values, _) in zip(kept, parts, strict=True):
            assert each.quantiles((0.5, 0.99)) == Histogram(values).quantiles((0.5, 0.99))
            assert each.counts == Histogram(values).counts
        whole.settle()
