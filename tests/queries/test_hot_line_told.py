"""Where no cause takes much of the time, the hottest line is told, with what is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from apm_agent.model.insight import Insight
from apm_agent.queries.connection import connect
from apm_agent.queries.why import diagnose
from apm_agent.queries.window import of_range
from apm_agent.store import open_store
from records import PRICE, STATEMENT, process, record

MS = 1_000_000
QUERIES = Insight("repeated_query", "150 identical queries", 4 * MS, 150, PRICE, STATEMENT)


@pytest.mark.parametrize("pause", [80, 133])
def test_an_outlier_of_another_kind_does_not_hide_what_the_line_does(tmp_path: Path, pause: int) -> None:
    """A fifth of all time, and more than a quarter, but of one call in ten."""
    paused = Insight("gc_pause", f"garbage collection takes {pause} ms", pause * MS, 6, None)
    url = f"sqlite:///{tmp_path / 'apm.db'}"
    store = open_store(url, process())
    calls = [record(duration_ns=35 * MS, insights=[QUERIES]) for _ in range(9)]
    store.write([*calls, record(duration_ns=(pause + 30) * MS, insights=[paused])])
    store.close()
    connection = connect(url)
    told = diagnose(connection, "GET /orders", of_range("1h"))
    connection.close()
    assert [each["kind"] for each in told["insights"]] == ["gc_pause", "repeated_query"]
    assert told["insights"][0]["share"] == pytest.approx(pause / (9 * 35 + pause + 30), abs=1e-4)
    assert told["hot_line"]["line"] == PRICE.line
    assert told["why"].startswith(f"150 identical queries from {PRICE.file}:{PRICE.line}")
