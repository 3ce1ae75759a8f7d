"""Histograms that a disk or a hand has damaged: they count nothing, and what is added to them is counted."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from apm_agent.model.histogram import Histogram, merge_bytes

COUNTS = st.dictionaries(st.integers(0, 63 * 32 - 1), st.integers(1, 2**31), max_size=60)
RUBBISH = st.one_of(
    st.binary(max_size=80),
    st.tuples(st.sampled_from([0, 1, 2, 4, 8, 9, 255]), st.binary(max_size=300)).map(lambda of: bytes(of[:1]) + of[1]),
    # As long as it should be, and yet not within the buckets there are.
    st.binary(min_size=8, max_size=8).map(lambda rest: b"\x08\x00\xff\xff" + rest),
)  # fmt: skip


def written(counts: dict[int, int]) -> bytes:
    made = Histogram()
    made.fill(counts)
    return made.to_bytes()


@given(RUBBISH)
@example(b"\x08")
@example(b"\x08\x00\x00\x00")
@example(b"{}")
def test_any_bytes_are_a_histogram(data: bytes) -> None:
    found = Histogram.from_bytes(data)
    again = Histogram.from_bytes(found.to_bytes())
    assert {bucket: min(count, 2**32 - 1) for bucket, count in found.counts.items()} == again.counts
    assert all(0 <= (answer or 0) < 2**64 for answer in found.quantiles((0, 0.5, 1)))


@given(RUBBISH, COUNTS)
def test_what_comes_to_a_damaged_one_is_counted(data: bytes, counts: dict[int, int]) -> None:
    for merged in (merge_bytes(data, written(counts)), merge_bytes(written(counts), data)):
        found = Histogram.from_bytes(merged).counts
        assert all(found.get(bucket, 0) >= count for bucket, count in counts.items())
        assert len(merged) <= 4 + 4 * 63 * 32
