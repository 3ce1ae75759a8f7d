"""Jobs against exact figures of a small store: waits, tries, rhythm, who enqueued them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.errors import QuestionError
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.endpoints import Page
from apm_agent.queries.job import job
from apm_agent.queries.jobs import SORTS, jobs
from apm_agent.queries.runs import rhythm
from apm_agent.queries.window import Window, of_range
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record

MS = 1_000_000
MINUTE = 60 * SECOND


@pytest.fixture
def now() -> int:
    return time.time_ns()


@pytest.fixture
def connection(tmp_path: Path, now: int) -> Iterator[Connection]:
    """A request that enqueued ten mails, a sweep every minute, one job long ago."""
    path = tmp_path / "apm.db"
    sender = record("POST /orders", now - 30 * MINUTE)
    made = [sender]
    for number in range(10):
        context = {"enqueued_by": format(sender.id, "016x"), "queue": "mail"}
        if number == 3:
            context |= {"outcome": "retry"}
        if number == 4:
            context |= {"retries": 1}
        if number == 9:
            context = {"enqueued_by": "0" * 15 + "1"}
        made.append(run("mail", now - (29 * 60 - number) * SECOND, 50, wait=number * 100, context=context))
    made += [run("sweep", now - (25 - number) * MINUTE, 20) for number in range(20) if number != 7]
    made.append(run("old", now - 5 * 3600 * SECOND, 1))
    store = SQLiteStore(str(path), process(), 2**30)
    store.write(made, {})
    store.close()
    with connect(f"sqlite:///{path}") as opened:
        yield opened


def run(name: str, at: int, ms: int, wait: int | None = None, context: dict[str, Any] | None = None) -> Any:
    return record(
        name, at, kind="background", method=None, path=None, status=None, duration_ns=ms * MS,
        queue_ns=None if wait is None else wait * MS, times={"queue": (wait or 0) * MS}, context=context,
        spans=[], samples=[], insights=[], queries=0, kept=None,
    )  # fmt: skip


@pytest.fixture
def hour() -> Window:
    return of_range("1h")


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in found["jobs"]}


def test_wait_and_run_time_are_told_apart(connection: Connection, hour: Window) -> None:
    found = jobs(connection, hour)
    assert {row["kind"] for row in found["jobs"]} == {"background"}
    mail = by_name(found)["mail"]
    assert mail["wait"] == {"count": 10, "p50_ms": 500.0, "p95_ms": 900.0, "max_ms": 900.0}
    assert mail["queue_ms"] == 450.0
    assert mail["p50_ms"] == pytest.approx(50, rel=0.011)
    assert (mail["retries"], mail["reruns"], mail["errors"], mail["looked"]) == (1, 1, 0, 10)
    sweep = by_name(found)["sweep"]
    assert sweep["wait"] == {"count": 0, "p50_ms": None, "p95_ms": None, "max_ms": None}
    assert sweep["queue_ms"] is None


def test_a_steady_rhythm_is_told_with_what_it_missed(connection: Connection, hour: Window, now: int) -> None:
    found = by_name(jobs(connection, hour))
    assert found["sweep"]["schedule"] == {"every_s": 60.0, "drift_ms": 0.0, "missed": 1, "gaps": 18}
    assert found["sweep"]["last"] == pytest.approx((now - 6 * MINUTE) / 1e9)
    assert found["mail"]["schedule"] == {"every_s": 1.0, "drift_ms": 0.0, "missed": 1, "gaps": 8}


def test_by_chance_there_is_no_rhythm() -> None:
    starts = [0, 40, 55, 130, 140, 230, 231, 300, 390, 404]
    assert rhythm([at * SECOND for at in starts]) is None
    assert rhythm([at * MINUTE for at in range(6)]) is None
    assert rhythm([at * MINUTE for at in range(7)]) is not None
    assert rhythm([at * MS for at in range(100)]) is None


def test_a_job_that_did_not_run_is_told_of(connection: Connection, hour: Window, now: int) -> None:
    found = jobs(connection, hour)
    assert "old" not in by_name(found)
    assert [(each["name"], each["service"]) for each in found["idle"]] == [("old", "shop")]
    assert found["idle"][0]["last"] == pytest.approx((now - 5 * 3600 * SECOND) / 1e9)
    assert by_name(jobs(connection, of_range("24h"))).keys() == {"mail", "sweep", "old"}


@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_each_once_in_order(connection: Connection, sort: str) -> None:
    day = of_range("24h")
    seen = [jobs(connection, day, Page(sort, "", "", 1, at))["jobs"][0]["name"] for at in range(3)]
    assert sorted(seen) == ["mail", "old", "sweep"]
    assert seen == [row["name"] for row in jobs(connection, day, Page(sort))["jobs"]]
    assert jobs(connection, day, Page(sort, "", "", 1, 1))["cursor"] == "2"
    assert jobs(connection, day, Page(sort, "", "", 1, 2))["cursor"] is None


def test_the_longest_wait_comes_first_and_what_is_not_known_last(connection: Connection) -> None:
    day = of_range("24h")
    assert [row["name"] for row in jobs(connection, day, Page("wait"))["jobs"]] == ["mail", "old", "sweep"]
    assert next(row["name"] for row in jobs(connection, day, Page("retries"))["jobs"]) == "mail"
    assert [row["name"] for row in jobs(connection, day, Page("share", "SWEEP"))["jobs"]] == ["sweep"]
    with pytest.raises(QuestionError, match="sort='speed' is not one of"):
        jobs(connection, day, Page("speed"))


def test_of_one_job_who_enqueued_it(connection: Connection, hour: Window) -> None:
    found = job(connection, hour, "mail")
    assert found is not None
    [sender] = found["enqueued"]["senders"]
    assert (sender["name"], sender["count"], sender["share"]) == ("POST /orders", 9, 0.9)
    row = connection.row("SELECT id FROM transactions WHERE path = '/orders'")
    assert row is not None
    assert sender["trace"] == format(row[0], "016x")
    assert {key: found["enqueued"][key] for key in ("known", "gone", "untold")} == {
        "known": 9, "gone": 1, "untold": 0,
    }  # fmt: skip
    assert found["queues"] == [{"queue": "mail", "count": 9}]
    assert found["outcomes"] == [{"outcome": "retry", "count": 1}]
    assert sum(found["histogram"]["counts"]) == sum(found["series"]["count"]) == 10
    assert job(connection, hour, "POST /orders") is None
