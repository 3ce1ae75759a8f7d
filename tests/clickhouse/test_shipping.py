"""A store is shipped whole and once, whatever happens to the engine, the shipper or the store meanwhile."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.test import Client

from apm_agent.cli import cli
from apm_agent.clickhouse import engine as engines
from apm_agent.clickhouse import status
from apm_agent.clickhouse.address import only, parse
from apm_agent.clickhouse.tables import TABLES
from apm_agent.errors import StoreError
from apm_agent.queries import window
from apm_agent.queries.connection import connect
from apm_agent.queries.why import diagnose
from apm_agent.store.clickhouse.shipper import Shipper
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from clickhouse_engine import close, engine, shipper
from make_store import Shop, batches, make, process
from servers import PYTHON, Program, environment, free_port

Forget = Callable[[str], str]


def _counted(url: str) -> tuple[int, int, int]:
    """Transactions there, those the minutes count, and those the days count."""
    server = engines.connect(parse(url), StoreError)
    try:
        rows = server.rows("SELECT count() FROM transactions FINAL")
        sums = dict(server.rows("SELECT resolution, sum(count) FROM rollups FINAL GROUP BY resolution"))
    finally:
        server.close()
    return int(rows[0][0]), int(sums.get(60, 0)), int(sums.get(86400, 0))


def _asked(page: Client, question: str, **parameters: str) -> Any:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}
    given = {"range": "6h", **parameters}
    return page.get(f"/api/v1/{question}", query_string=given, environ_overrides=environ).get_json()


def _write(path: Path, count: int, seed: int = 1) -> None:
    """More transactions of the last minutes."""
    now = time.time_ns()
    store = SQLiteStore(str(path), process(path.parent / "shop", "1.5.0", seed, now), 4 * 2**30)
    shop = Shop(path.parent / "shop", seed)
    for batch in batches(shop, count, now - 600 * 10**9, now, seed):
        store.write(batch, {})
    store.close()


def test_what_is_shipped_twice_counts_once(tmp_path: Path, server: str, forget: Forget) -> None:
    url = forget(f"{server}twice")
    path = tmp_path / "apm.db"
    make(path, 200)
    with shipper(path, url) as one:
        assert one.step(all_of_it=True) == 200
        assert one.step() == 0
    for file in (tmp_path / "ship").glob(
        "*.cursor"
    ):  # as after a crash that took the cursor, but for the name
        raw = sqlite3.connect(file)
        raw.execute("DELETE FROM minutes")
        raw.commit()
        raw.close()
    with shipper(path, url) as again:
        assert again.step(all_of_it=True) == 200
    assert _counted(url) == (200, 200, 200)


def test_two_machines_are_added_up_and_told_apart(tmp_path: Path, server: str, forget: Forget) -> None:
    url = forget(f"{server}two")
    now = time.time()
    for name in ("web-1", "web-2"):
        make(tmp_path / name / "apm.db", 100, hours=2, now=now, seed=len(name))
        with shipper(tmp_path / name / "apm.db", url, name) as one:
            one.step(all_of_it=True)
    span = window.of_range("24h")
    one_of_them = forget(f"{url}?host=web-1")
    with (
        connect(url) as both,
        connect(one_of_them) as single,
        connect(f"sqlite:///{tmp_path}/web-1/apm.db") as local,
    ):
        sums = [
            connection.row(
                "SELECT sum(count) FROM rollups WHERE resolution = ? AND t >= ? AND t < ?",
                (86400, span.start - 86400, span.start + 3 * 86400),
            )
            for connection in (both, single, local)
        ]
        assert sums == [(200,), (100,), (100,)]
        assert both.mirror is not None
        assert [each["host"] for each in both.mirror.shipments()] == ["web-1", "web-2"]
        assert diagnose(single, "GET /orders", span) == diagnose(local, "GET /orders", span)
        assert len(single.rows("SELECT id FROM processes")) == len(local.rows("SELECT id FROM processes"))
    both_pages, own = Client(dashboard(url)), Client(dashboard(f"sqlite:///{tmp_path}/web-1/apm.db"))
    forget(only(url, "(nobody)"))
    assert _asked(both_pages, "filters")["hosts"] == ["web-1", "web-2"]
    assert _asked(both_pages, "filters", host="web-1")["hosts"] == ["web-1", "web-2"]
    for question in ("endpoints", "queries"):
        told, alone = _asked(both_pages, question, host="web-1"), _asked(own, question)
        assert told["total"] == alone["total"]
    assert _asked(both_pages, "endpoints", host="web-9")["total"]["count"] == 0


def test_an_engine_that_is_away_costs_nothing_but_delay(tmp_path: Path, forget: Forget) -> None:
    port = free_port()
    url = forget(f"clickhouse://127.0.0.1:{port}/away")
    path = tmp_path / "apm.db"
    make(path, 100)
    made = Shipper(str(path), parse(url), "web-1")
    try:
        with engine(tmp_path / "data", port):
            assert made.step() == 100
        _write(path, 300)
        with pytest.raises(StoreError, match=f"127.0.0.1:{port}"):
            made.step()
        made.waiting("it is away")
        assert status.told(str(path))[0]["waiting"] == "it is away"
        made.disconnect()
        _write(path, 300, 2)
        with engine(tmp_path / "data", port):
            assert made.step(all_of_it=True) == 600
            assert _counted(url) == (700, 700, 700)
            told = status.told(str(path))[0]
            assert (told["waiting"], told["shipped"], told["dropped"]) == (None, 700, 0)
    finally:
        made.close()


def test_what_retention_took_first_is_counted(tmp_path: Path, server: str, forget: Forget) -> None:
    url = forget(f"{server}dropped")
    path = tmp_path / "apm.db"
    make(path, 100)
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM transactions WHERE id IN (SELECT id FROM transactions ORDER BY id LIMIT 30)")
    raw.close()
    with shipper(path, url) as one:
        assert one.step(all_of_it=True) == 70
        assert one.dropped == 30
        assert one.step() == 0
        assert one.dropped == 30
    assert _counted(url) == (70, 100, 100)  # the rollups count all


def test_a_store_that_was_put_aside_is_another(tmp_path: Path, server: str, forget: Forget) -> None:
    url = forget(f"{server}aside")
    path = tmp_path / "apm.db"
    make(path, 100)
    with shipper(path, url) as one:
        assert one.step(all_of_it=True) == 100
        path.rename(tmp_path / "aside.db")
        for ending in ("-wal", "-shm"):
            (tmp_path / f"apm.db{ending}").unlink(missing_ok=True)
        _write(path, 50)
        assert one.step(all_of_it=True) == 50
    assert _counted(url) == (150, 150, 150)


def test_a_page_follows_what_is_shipped(tmp_path: Path, server: str, forget: Forget) -> None:
    url = forget(f"{server}follows")
    path = tmp_path / "apm.db"
    make(path, 100)
    asked = (
        "SELECT sum(count) FROM rollups WHERE resolution = ? AND t >= ? AND t < ?",
        (86400, 0, window.LAST),
    )
    with shipper(path, url) as one, connect(url) as before:
        assert before.empty
        one.step(all_of_it=True)
        with connect(url) as connection:
            assert connection.row(*asked) == (100,)
            _write(path, 40)
            one.step(all_of_it=True)
            assert connection.mirror is not None
            connection.mirror.look_again()
            assert connection.row(*asked) == (140,)
            found = connection.row("SELECT max(started_at) FROM transactions")
            assert found is not None
            assert time.time_ns() - found[0] < 600 * 10**9
    close(url)


def test_the_command_tells_how_far_it_is_and_never_the_password(
    day: Path, server: str, forget: Forget
) -> None:
    forget(f"{server}command")
    with_password = server.replace("://", "://default:s3cret@")
    program = Program(
        [PYTHON, "-m", "apm_agent", "ship", f"{with_password}command", "--store", str(day), "--once"],
        environment(), day.parent, None,
    )  # fmt: skip
    assert program.wait(120) == 0, program.output
    printed = program.output
    program.stop()
    assert "▸ shipped 4" in printed
    assert "s3cret" not in printed
    why = Program(
        [PYTHON, "-m", "apm_agent", "why", "GET /orders", "--store", f"{with_password}command"],
        environment(), day.parent, None,
    )  # fmt: skip
    assert why.wait(120) == 0, why.output
    assert "43 identical queries" in why.output
    why.stop()


def test_the_current_engine_reads_how_tables_are_made_on_a_cluster(server: str, forget: Forget) -> None:
    asked = ["ship", "--cluster", "all_shards", "clickhouse://u:s3cret@h/apm"]
    printed = CliRunner().invoke(cli, asked).output
    assert "s3cret" not in printed
    for made in (
        "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/apm_local/",
        "Distributed(all_shards, ",
    ):
        assert printed.count(f"ENGINE = {made}") == len(TABLES) + 1
    engine = engines.connect(parse(forget(f"{server}cluster")), StoreError)
    try:
        for statement in printed.rstrip(";\n").split(";\n"):
            engine.run(f"EXPLAIN AST {statement}")  # refused where it cannot be read
    finally:
        engine.close()
    for wrong in (["ship", "--cluster", "a b", "clickhouse://h/d"], ["ship", "--cluster", "all"]):
        assert CliRunner().invoke(cli, wrong).exit_code != 0


def test_addresses_say_what_is_wrong_with_them_and_not_the_password() -> None:
    for url in (
        "clickhouse://",
        "clickhouse://u:s3cret@h:x/d",
        "clickhouse://u:s3cret@h/a-b",
        "clickhouse://h/d?x=1",
    ):
        with pytest.raises(StoreError) as failed:
            parse(url, StoreError)
        assert "s3cret" not in str(failed.value)
    assert parse("clickhouse://u:p@h").shown == "clickhouse://h:8123/default"
