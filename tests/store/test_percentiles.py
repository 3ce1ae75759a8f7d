"""Percentiles read from a store's rollups are those NumPy counts from the durations, within the stated error."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.model.histogram import ERROR, Histogram
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record, rows

NOON = 1_790_000_000 // 86_400 * 86_400 * SECOND + 43_200 * SECOND
SHARES = (0.5, 0.95, 0.99)


def answers(path: Path, level: int) -> list[int | None]:
    """p50, p95 and p99 of all rollups of one level, as a page would merge them."""
    whole = Histogram()
    for (data,) in rows(path, "SELECT histogram FROM rollups WHERE resolution = ?", level):
        whole.merge_bytes(data)
    return whole.quantiles(SHARES)


# Batches of (second of three hours, microseconds): what several processes may write, in any order of time.
batches = st.lists(
    st.lists(st.tuples(st.integers(0, 10_799), st.integers(1, 10**9)), min_size=1, max_size=40),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(batches)
def test_of_each_level_whatever_was_merged(many: list[list[tuple[int, int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "apm.db"
        stores = [SQLiteStore(str(path), process(pid)) for pid in (1, 2)]
        for turn, batch in enumerate(many):
            stores[turn % 2].write([
                record(at=NOON + second * SECOND, duration_ns=micros * 1_000, kept=None, spans=[], samples=[])
                for second, micros in batch
            ])  # fmt: skip
        for store in stores:
            store.close()
        durations = [micros * 1_000 for batch in many for _, micros in batch]
        exact = numpy.quantile(durations, SHARES, method="lower")
        for level in (60, 3600, 86400):
            for found, truth in zip(answers(path, level), exact, strict=True):
                assert found is not None
                # half a nanosecond is the rounding to whole ones
                assert abs(found - truth) <= ERROR * truth * (1 + 1e-9) + 0.5


@pytest.mark.parametrize("spread", [0.1, 0.6, 2.0])
def test_of_many_as_applications_have_them(spread: float) -> None:
    made = numpy.random.default_rng(3).lognormal(numpy.log(20e6), spread, 100_000).astype(int)
    whole = Histogram()
    for part in numpy.array_split(made, 50):
        whole.merge_bytes(Histogram(part.tolist()).to_bytes())
    for share, found in zip(SHARES, whole.quantiles(SHARES), strict=True):
        truth = float(numpy.quantile(made, share, method="lower"))
        assert found is not None
        assert abs(found / truth - 1) <= ERROR


def test_the_error_is_as_stated() -> None:
    assert round(ERROR * 100, 3) == 1.083
