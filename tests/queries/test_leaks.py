"""The endpoint that leaks is found among those that do not, from exclusive calls only."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from apm_agent.model.record import Record
from apm_agent.queries import window
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.leaks import memory
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record

MB = 2**20
PAGE = 4096
CALLS = 400


class Workers:
    """Two processes serving in turn; what each call of an endpoint adds to and takes from its process is told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stores = [SQLiteStore(str(path), process(pid)) for pid in (1001, 1002)]
        self.sizes = [100 * MB, 100 * MB]
        self.at = time.time_ns() - 3000 * SECOND
        self.batches: list[list[Record]] = [[], []]

    def call(self, name: str, keeps: int, returned: int = 0, **fields: Any) -> None:
        """`returned`: given back after the call, before the next one."""
        self.at += SECOND // 2
        number = len(self.batches[0]) > len(self.batches[1])
        before = self.sizes[number]
        self.sizes[number] += keeps - returned
        given = {"rss_before": before, "rss_after": before + keeps, "duration_ns": 1_000_000, "kept": None}
        self.batches[number].append(
            record(name, at=self.at, spans=[], samples=[], insights=[], **given | fields)
        )

    def write(self) -> None:
        for store, batch in zip(self.stores, self.batches, strict=True):
            store.write(batch, {"rss": self.sizes[0]})
            store.close()

    def ask(self, **narrowed: str) -> dict[str, Any]:
        with connect(f"sqlite:///{self.path}") as connection:
            return memory(connection, window.of_range("1h"), **narrowed)


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path / "apm.db")


def rows(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in answer["endpoints"]}


def test_a_planted_leak_among_noise(workers: Workers) -> None:
    random = Random(3)
    for _ in range(CALLS):
        workers.call("GET /leak", 3 * PAGE)
        workers.call("GET /noise", random.choice((-PAGE, 0, 0, PAGE)))
        workers.call("GET /flat", 0)
    workers.write()
    answer = workers.ask()
    assert answer["endpoints"][0]["name"] == "GET /leak"
    found = rows(answer)
    leak = found["GET /leak"]
    assert leak["verdict"] == "leaks"
    assert leak["p_value"] < 0.01
    assert leak["slope_kb"] == 12_000
    assert leak["mean_kb"] == leak["p50_kb"] == 12
    assert leak["exclusive"] == CALLS
    assert leak["counted"] == CALLS * 0.9
    assert found["GET /noise"]["verdict"] == found["GET /flat"]["verdict"] == "steady"
    assert {worker["pid"] for worker in answer["workers"]} == {1001, 1002}
    assert all(worker["growth_kb"] > 1000 for worker in answer["workers"])
    assert answer["more"] is False


def test_what_others_overlapped_and_what_was_measured_does_not_count(workers: Workers) -> None:
    for _ in range(CALLS):
        workers.call("GET /orders", 10 * PAGE, overlap=1)
        workers.call("GET /orders", 10 * PAGE, kept="captured")
        workers.call("GET /orders", 0)
    workers.write()
    row = rows(workers.ask())["GET /orders"]
    assert row["exclusive"] == CALLS
    assert row["verdict"] == "steady"
    assert row["slope_kb"] == 0


def test_a_cache_that_fills_is_no_leak(workers: Workers) -> None:
    for number in range(CALLS):
        workers.call("GET /warm", 50 * PAGE if number < CALLS // 12 else 0)
    workers.write()
    assert rows(workers.ask())["GET /warm"]["verdict"] == "steady"


def test_what_is_given_back_between_calls_is_no_leak(workers: Workers) -> None:
    for _ in range(CALLS):
        workers.call("GET /report", 5 * PAGE, returned=5 * PAGE)
    workers.write()
    assert rows(workers.ask())["GET /report"]["verdict"] == "returned"


def test_too_few_calls_say_so(workers: Workers) -> None:
    for _ in range(20):
        workers.call("GET /rare", 50 * PAGE)
    workers.write()
    row = rows(workers.ask())["GET /rare"]
    assert (row["verdict"], row["p_value"]) == ("too few", None)


def test_narrowed_to_what_there_is_not(workers: Workers) -> None:
    workers.call("GET /orders", 0)
    workers.write()
    assert workers.ask(service="feed")["endpoints"] == []
    assert workers.ask(release="9")["endpoints"] == []


def test_of_the_made_up_day(connection: Connection) -> None:
    answer = memory(connection, window.of_range("24h"))
    assert answer["endpoints"]
    assert all(row["verdict"] in ("leaks", "returned", "steady", "too few") for row in answer["endpoints"])


def test_an_empty_store(tmp_path: Path) -> None:
    ask: Callable[[], dict[str, Any]] = Workers(tmp_path / "none" / "apm.db").ask
    assert ask()["endpoints"] == []
