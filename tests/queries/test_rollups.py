"""Sums of a window that is still open: what is past is remembered, and the answer is the same as read at once."""

from __future__ import annotations

import time
from pathlib import Path

from apm_agent.model.histogram import Histogram
from apm_agent.queries.connection import connect
from apm_agent.queries.rollups import Totals, measure
from apm_agent.queries.window import of_range
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record

MS = 10**6


def write(path: Path, *ages: int) -> None:
    store = SQLiteStore(str(path), process(), 2**30)
    store.write(
        [record(at=time.time_ns() - age * SECOND, duration_ns=(10 + age % 7) * MS) for age in ages], {}
    )
    store.close()


def test_the_past_and_the_rest_are_one(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    ages = (2, 40, 700, 1300, 3000, 3500, 9000, 20_000, 80_000)
    write(path, *ages)
    with connect(f"sqlite:///{path}") as connection:
        for span, longest in (("15m", 890), ("1h", 3590), ("6h", 21_590), ("24h", 86_390)):
            mine = [age for age in ages if age < longest]
            ((sums, histogram),) = measure(connection, of_range(span), None).values()
            assert sums.count == len(mine)
            assert sums.duration_ns == sum((10 + age % 7) * MS for age in mine)
            assert sums.duration_max_ns == max((10 + age % 7) * MS for age in mine)
            assert histogram.counts == Histogram((10 + age % 7) * MS for age in mine).counts


def test_what_comes_in_now_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    write(path, 5, 9000)
    with connect(f"sqlite:///{path}") as connection:
        for more in (2, 3, 4):
            ((sums, _),) = measure(connection, of_range("6h"), None).values()
            assert sums.count == more
            write(path, 1)
        ((sums, histogram),) = measure(connection, of_range("6h"), None).values()
        assert (sums.count, sum(histogram.counts.values())) == (5, 5)


def test_totals_of_none_and_of_some() -> None:
    assert Totals.of([]) == Totals()
    some = Totals.of(
        [Totals(count=2, duration_max_ns=7, gc_ns=1), Totals(count=3, duration_max_ns=5, gc_ns=2)]
    )
    assert (some.count, some.duration_max_ns, some.gc_ns) == (5, 7, 3)
