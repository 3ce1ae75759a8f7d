"""Debian's server, 18.16: it takes our tables and adds our rollups up; clickhouse-connect refuses to speak to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apm_agent.clickhouse import engine as engines
from apm_agent.clickhouse.address import parse
from apm_agent.clickhouse.tables import TABLES, ddl
from apm_agent.errors import StoreError
from old_server import ask, nodes


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Its port."""
    with nodes(tmp_path_factory.mktemp("old")) as (port,):
        yield port


def test_the_client_finds_it_too_old_and_says_so(old: int) -> None:
    with pytest.raises(StoreError, match="it is too old for clickhouse-connect"):
        engines.connect(parse(f"clickhouse://127.0.0.1:{old}/default"), StoreError)


def test_it_takes_our_tables_and_adds_rollups_up_once(old: int) -> None:
    version = engines.version_of(ask(old, "SELECT version()"))
    for table in TABLES:
        ask(old, ddl(table, version))
    for source, number in (
        ("a", 1),
        ("a", 2),
        ("b", 1),
    ):  # the second one of "a" takes the place of the first
        ask(
            old,
            "INSERT INTO rollups (resolution, t, endpoint_id, release_id, count, buckets, counts, source, version)"
            f" VALUES (60, 60, 7, 8, {number}, [5, 9], [{number}, 1], '{source}', {number})",
        )
    found = ask(
        old, "SELECT sum(count), sumMap(buckets, counts) FROM rollups FINAL WHERE resolution = 60 GROUP BY t"
    )
    assert found == "3\t([5,9],[3,2])\n"
