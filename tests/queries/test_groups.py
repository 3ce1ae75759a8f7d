"""Endpoints put together: sums add up, percentiles are of all calls together, and what regressed comes first."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from apm_agent.errors import QuestionError
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.counts import counts
from apm_agent.queries.endpoints import Page, endpoints
from apm_agent.queries.groups import NONE, groups
from apm_agent.queries.window import of_range
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record

MS = 10**6


def store_of(path: Path, *records: Any) -> Connection:
    store = SQLiteStore(str(path), process(), 2**30)
    store.write(list(records), {})
    store.close()
    return connect(f"sqlite:///{path}")


def calls(name: str, view: str | None, count: int, ms: int, **more: Any) -> list[Any]:
    return [record(f"GET {name}", view=view, duration_ns=ms * MS, **more) for _ in range(count)]


def made(connection: Connection, by: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in groups(connection, of_range("1h"), by, **more)["groups"]}


def test_by_view_module_and_application(tmp_path: Path) -> None:
    with store_of(
        tmp_path / "apm.db",
        *calls("/a", "blog.views:a", 30, 10),
        *calls("/a/<id>", "blog.views:a", 10, 100),
        *calls("/b", "blog.feeds:b", 5, 20),
        *calls("/c", "shop:c", 5, 20),
        *calls("/d", None, 1, 5),
    ) as connection:
        by_view = made(connection, "view")
        assert set(by_view) == {"blog.views:a", "blog.feeds:b", "shop:c", NONE}
        both = by_view["blog.views:a"]
        assert (both["endpoints"], both["count"], both["total_ms"]) == (2, 40, 1300.0)
        assert both["p50_ms"] == pytest.approx(10, rel=0.011)
        assert both["p95_ms"] == pytest.approx(100, rel=0.011), "of all calls together"
        assert both["share"] == pytest.approx(1300 / 1505, abs=1e-5)
        assert set(made(connection, "module")) == {"blog.views", "blog.feeds", "shop", NONE}
        by_app = made(connection, "app")
        assert {name: row["count"] for name, row in by_app.items()} == {"blog": 45, "shop": 5, NONE: 1}
        assert sum(row["share"] for row in by_app.values()) == pytest.approx(1)
        assert next(iter(by_app)) == "blog", "the costliest first"
        assert set(made(connection, "view", text="feeds")) == {"blog.feeds:b"}
        assert made(connection, "view", kind="background") == {}


def test_one_name_in_two_services_is_two_groups(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    for service in ("one", "two"):
        store = SQLiteStore(str(path), process(service=service), 2**30)
        store.write(calls("/a", "app:a", 3, 10), {})
        store.close()
    with connect(f"sqlite:///{path}") as connection:
        rows = groups(connection, of_range("1h"), "view")["groups"]
        assert [(row["service"], row["count"]) for row in rows] == [("one", 3), ("two", 3)]
        assert len(groups(connection, of_range("1h"), "view", service="two")["groups"]) == 1


def test_a_word_that_groups_nothing_is_refused(tmp_path: Path) -> None:
    with (
        store_of(tmp_path / "apm.db") as connection,
        pytest.raises(QuestionError, match="by='colour' is not one of"),
    ):
        groups(connection, of_range("1h"), "colour")


def test_what_regressed_most_comes_first_of_all_endpoints(tmp_path: Path) -> None:
    before = time.time_ns() - 90 * 60 * SECOND
    with store_of(
        tmp_path / "apm.db",
        *calls("/steady", "a:a", 25, 50),
        *calls("/steady", "a:a", 25, 50, at=before),
        *calls("/worse", "a:b", 25, 30),
        *calls("/worse", "a:b", 25, 10, at=before),
        *calls("/new", "a:c", 25, 900),
    ) as connection:
        found = endpoints(connection, of_range("1h"), Page(sort="change", limit=2))
        assert [row["name"] for row in found["endpoints"]] == ["GET /worse", "GET /steady"]
        assert found["endpoints"][0]["p95_change"] == pytest.approx(2, rel=0.03)
        row = made(connection, "app")["a"]
        assert row["p95_change"] is not None


def test_how_many_there_are_of_what_each_page_lists(tmp_path: Path) -> None:
    with store_of(
        tmp_path / "apm.db",
        *calls("/a", None, 3, 10),
        *calls("/b", None, 2, 10, status=500),
        record("send", kind="background", spans=[]),
        *calls("/old", None, 1, 10, at=time.time_ns() - 7200 * SECOND, spans=[]),
    ) as connection:
        here = counts(connection, of_range("1h"))
        assert here == {"endpoints": 2, "jobs": 1, "queries": 1, "errors": 2, "in_flight": None}
        assert counts(connection, of_range("6h"))["endpoints"] == 3
        assert set(counts(connection, of_range("1h"), "another").values()) == {0, None}
