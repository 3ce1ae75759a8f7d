"""Two nodes, a shard each: what is shipped to one of them lies on both, once, and pages read from either are the same.

The nodes are Debian's 18.16, the only server here that runs twice; the tables are those that `ship --cluster` prints,
without replicas, which would take a keeper.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from apm_agent.clickhouse.address import parse
from apm_agent.clickhouse.sharded import statements
from apm_agent.clickhouse.tables import TABLES
from apm_agent.queries import window
from apm_agent.queries.connection import Connection
from apm_agent.queries.endpoints import Page, endpoints
from apm_agent.queries.mirror import Mirror
from apm_agent.queries.traces import Filters, traces
from apm_agent.store.clickhouse.shipper import Shipper
from make_store import make
from old_server import Old, ask, merge, nodes

_HOSTS = ("web-1", "web-2", "web-3", "web-4")
_EACH = 100


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """Both nodes' ports; four machines have shipped to the first of them."""
    folder = tmp_path_factory.mktemp("shards")
    with nodes(folder, 2) as ports:
        for port in ports:
            for statement in statements("apm", "shards", Old(port, "default").version, replicated=False):
                ask(port, statement)
        for number, host in enumerate(_HOSTS):
            path = folder / host / "apm.db"
            make(path, _EACH, hours=2, seed=number)
            _ship(path, ports[0], host)
        _ship_again(folder / _HOSTS[0], ports[0])
        for port in ports:
            merge(port, "apm_local", [table.name for table in TABLES])
        yield ports


def _ship_again(folder: Path, port: int) -> None:
    """As after a crash that took the cursor, but for the name."""
    for file in (folder / "ship").glob("*.cursor"):
        with closing(sqlite3.connect(file)) as raw, raw:
            raw.execute("DELETE FROM minutes")
    _ship(folder / "apm.db", port, folder.name)


def _ship(path: Path, port: int, host: str) -> None:
    shipper = Shipper(str(path), parse(f"clickhouse://127.0.0.1:{port}/apm"), host, Old(port, "apm"))
    try:
        shipper.step(all_of_it=True)
    finally:
        shipper.close()


def _answer(port: int) -> dict[str, Any]:
    """Two pages, as read from one node."""
    mirror = Mirror(parse(f"clickhouse://127.0.0.1:{port}/apm"), Old(port, "apm"))
    try:
        with Connection(mirror.path, mirror) as connection:
            span = window.of_range("6h")
            found = {
                **endpoints(connection, span, Page()),
                "traces": traces(connection, span, Filters(), "duration", 30)["traces"],
            }
    finally:
        mirror.close()
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def test_each_machine_lies_on_one_shard_and_all_are_counted_once(two: list[int]) -> None:
    lies = [set(ask(port, "SELECT DISTINCT host FROM apm_local.transactions").split()) for port in two]
    assert lies[0] | lies[1] == set(_HOSTS)
    assert not lies[0] & lies[1]
    for table, column in (("transactions", "count()"), ("rollups", "sum(count) / 3")):
        for port in two:
            (found,) = ask(port, f"SELECT {column} FROM apm.{table}").split()
            assert int(found) == len(_HOSTS) * _EACH, table


def test_pages_read_from_either_node_are_the_same_and_whole(two: list[int]) -> None:
    one, other = map(_answer, two)
    assert one == other
    assert sum(row["count"] for row in one["endpoints"]) == one["total"]["count"] > 0.8 * len(_HOSTS) * _EACH
    assert len(one["traces"]) == 30
