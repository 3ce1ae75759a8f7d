"""One machine of several that share a file: what is told of it is what a file of its own would tell."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.queries.connection import Connection
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from make_store import Shop, batches, process

_NOW = int(time.time()) - 2
_SPAN = {"from": str(_NOW - 3600), "to": str(_NOW)}
_COUNTS = {"web-1": 300, "web-2": 200}


def _write(path: Path, host: str) -> None:
    end = _NOW * 10**9
    who = replace(process(path.parent / "shop", "1.4.0", 1, end - 3600 * 10**9), host=host)
    store = SQLiteStore(str(path), who, 4 * 2**30)
    shop = Shop(path.parent / "shop", len(host) + _COUNTS[host])
    for batch in batches(shop, _COUNTS[host], end - 3500 * 10**9, end, _COUNTS[host]):
        store.write(batch, {})
    store.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Client, Client]:
    """The dashboard of both machines' file, and of a file that the second has for itself."""
    folder = tmp_path_factory.mktemp("hosts")
    for host in _COUNTS:
        _write(folder / "apm.db", host)
    own = folder / "own" / "apm.db"
    own.parent.mkdir()
    _write(own, "web-2")
    both, alone = (Client(dashboard(f"sqlite:///{path}")) for path in (folder / "apm.db", own))
    return both, alone


def _ask(page: Client, question: str, **parameters: str) -> Any:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}
    response = page.get(
        f"/api/v1/{question}", query_string={**_SPAN, **parameters}, environ_overrides=environ
    )
    return json.loads(response.get_data())


#: Where only what is counted for all machines together may differ, and ids of transactions, which are drawn.
_EQUAL = {
    "overview": ("kpi", "total", "series", "heatmap", "workers"),
    "endpoints": ("total",),
    "traces": (),
    "errors": ("failed", "of"),
    "memory": ("total", "workers"),
    "jobs": ("total",),
}


@pytest.mark.parametrize("question", _EQUAL)
def test_a_machine_is_told_apart(pages: tuple[Client, Client], question: str) -> None:
    both, alone = _ask(pages[0], question, host="web-2"), _ask(pages[1], question)
    for row in (*both.get("workers", ()), *alone.get("workers", ())):
        del row["last_seen"]  # each was written at its own moment
    for part in _EQUAL[question]:
        assert both[part] == alone[part], part
    if question == "traces":
        assert {row["host"] for row in both["traces"]} == {"web-2"}
        assert [row["duration_ms"] for row in both["traces"]] == [
            row["duration_ms"] for row in alone["traces"]
        ]
    if question == "endpoints":
        figures = ("name", "count", "p50_ms", "p95_ms", "errors", "total_ms", "rss_kb", "kinds")
        assert [[row[each] for each in figures] for row in both["endpoints"]] == [
            [row[each] for each in figures] for row in alone["endpoints"]
        ]


def test_all_machines_are_more_than_each(pages: tuple[Client, Client]) -> None:
    counts = [
        _ask(pages[0], "overview", **({"host": host} if host else {}))["total"]["count"]
        for host in ("", *_COUNTS)
    ]
    assert counts[0] == counts[1] + counts[2]
    assert min(counts) > 100


def test_what_is_counted_together_is_said_each_time(pages: tuple[Client, Client]) -> None:
    both, alone = pages
    for question in ("queries", "profile", "traces", "overview", "overview"):
        assert _ask(both, question, host="web-1")["store"]["partial"] == (
            "profiles, queries and causes are of all hosts, because one file counts them together"
        )
        assert _ask(both, question)["store"]["partial"] is None
    assert _ask(alone, "queries")["store"]["partial"] is None


def test_the_hosts_are_told_and_others_have_nothing(pages: tuple[Client, Client]) -> None:
    both, alone = pages
    for narrowed in ({}, {"host": "web-1"}):
        assert _ask(both, "filters", **narrowed)["hosts"] == ["web-1", "web-2"]
    assert _ask(alone, "filters")["hosts"] == ["web-2"]
    nothing = _ask(both, "traces", host="web-9' OR 1")
    assert nothing["traces"] == []
    assert _ask(both, "overview", host="web-9")["total"]["count"] == 0


def test_a_name_may_hold_anything(tmp_path: Path) -> None:
    _COUNTS["it's"] = 20
    try:
        _write(tmp_path / "apm.db", "it's")
        with Connection(str(tmp_path / "apm.db"), None, "it's") as connection:
            assert connection.row("SELECT count(*), count(DISTINCT process_id) FROM transactions") == (20, 1)
    finally:
        del _COUNTS["it's"]


def test_what_is_older_than_single_transactions_is_said(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    _write(path, "web-1")
    _write(path, "web-2")
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM transactions WHERE started_at < ?", ((_NOW - 1800) * 10**9,))
    raw.close()
    told = _ask(Client(dashboard(f"sqlite:///{path}")), "endpoints", host="web-1")["store"]["partial"]
    assert "of a host nothing is known before 20" in told
