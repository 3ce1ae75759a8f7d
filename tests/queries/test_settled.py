"""What is remembered of the past says the same as reading all of it anew, however the window was cut in between."""

from __future__ import annotations

import time
from functools import reduce
from itertools import pairwise
from pathlib import Path

import pytest

from apm_agent.queries import alone, settled, window
from apm_agent.queries.connection import connect
from apm_agent.queries.leaks import memory
from apm_agent.store.sqlite import SQLiteStore
from leaking import make
from records import process, record

MS = 1_000_000
HOUR = 3600 * 10**9


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settled") / "apm.db"
    make(path, 1200)
    return path


@pytest.mark.parametrize("cuts", [(), (1,), (3, 4), (1, 2, 3, 4, 5), tuple(range(1, 72))])
def test_calls_read_in_parts_are_those_read_at_once(store: Path, cuts: tuple[int, ...]) -> None:
    now = time.time_ns()
    edges = [now - 6 * HOUR, *(now - 6 * HOUR + cut * 6 * HOUR // (len(cuts) + 1) for cut in cuts), now]
    with connect(f"sqlite:///{store}") as connection:
        whole = alone.read(connection, edges[0], edges[-1], None)
        parts = [alone.read(connection, start, end, None) for start, end in pairwise(edges)]
    joined = reduce(alone.joined, parts)
    assert sum(whole.every.values()) > 1000
    assert joined == whole
    assert reduce(alone.joined, parts) == whole, "joining changed what it was given"


def test_an_answer_with_a_remembered_past_is_as_a_new_one(store: Path) -> None:
    asked = window.of_range("6h")
    with connect(f"sqlite:///{store}") as connection:
        first = memory(connection, asked)
        writer = SQLiteStore(str(store), process(), 2**30)
        writer.write(
            [
                record(
                    f"GET /new/{n % 3}",
                    at=time.time_ns() - n * 10**9,
                    duration_ns=20 * MS,
                    rss_before=2**26 + n * 4096,
                    rss_after=2**26 + n * 4096 + 2048,
                    times={"python": 10 * MS, "gc": n * MS},
                )
                for n in range(1, 90)
            ],
            {},
        )
        writer.close()
        again = memory(connection, asked)
        settled.forget()
        anew = memory(connection, asked)
    assert again == anew
    assert again["total"]["calls"] == first["total"]["calls"] + 89
    assert again["gc"]["paused"] == first["gc"]["paused"] + 89


def test_a_call_that_ends_late_is_counted_where_it_began(store: Path) -> None:
    asked = window.of_range("6h")
    with connect(f"sqlite:///{store}") as connection:
        first = memory(connection, asked)
        writer = SQLiteStore(str(store), process(), 2**30)
        # Begun ten minutes ago, where a second look reads nothing again unless something has come.
        writer.write([record("GET /late", at=time.time_ns() - 600 * 10**9, duration_ns=590 * 10**9)], {})
        writer.close()
        again = memory(connection, asked)
        settled.forget()
        assert again == memory(connection, asked)
    assert again["total"]["calls"] == first["total"]["calls"] + 1
