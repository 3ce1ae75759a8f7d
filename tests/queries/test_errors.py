"""Errors against exact figures of a small store: groups, their releases, their stack, what they share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.errors import QuestionError
from apm_agent.model.profile import Frame
from apm_agent.model.record import FailureRecord
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.endpoints import Page
from apm_agent.queries.error import error
from apm_agent.queries.errors import SORTS, errors
from apm_agent.queries.window import Window, of_range
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record

TEXT = "def pay(order):\n    card = order.card\n    raise ValueError(card)\n"


@pytest.fixture
def now() -> int:
    return time.time_ns()


@pytest.fixture
def connection(tmp_path: Path, now: int) -> Iterator[Connection]:
    """Payments that fail since 2.0 for those who pay by card, and answers of 503 without an exception."""
    (tmp_path / "shop.py").write_text(TEXT)
    path = tmp_path / "apm.db"
    raised = Frame("pay", "shop.py", 3, "app", str(tmp_path / "shop.py"))
    stack = (
        Frame("call", "flask/app.py", 9, "lib", "/site/flask/app.py"),
        Frame("__call__", "apm_agent/wsgi.py", 9, "agent", "/site/apm_agent/wsgi.py"),
        raised,
    )
    for version, first in (("1.0", 3000), ("2.0", 1500)):
        made = []
        for number in range(30):
            fails = version == "2.0" and number % 3 == 0
            made.append(
                record(
                    "POST /pay", now - (first - number) * SECOND, kept="failed" if fails else None,
                    status=500 if fails else 200, context={"by": "card" if fails else "cash"},
                    failure=FailureRecord("ValueError", "no card", raised, stack) if fails else None,
                    log=[(5, "ERROR", "shop", "no card at all")] if fails else [],
                )
            )  # fmt: skip
        made.append(record("GET /busy", now - first * SECOND, status=503, kept=None))
        store = SQLiteStore(str(path), process(release=version, app_root=str(tmp_path)), 2**30)
        store.write(made, {})
        store.close()
    with connect(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def hour() -> Window:
    return of_range("1h")


def test_groups_by_type_and_line(connection: Connection, hour: Window, now: int) -> None:
    found = errors(connection, hour)
    assert (found["groups"], found["failed"], found["of"], found["more"]) == (2, 12, 12, False)
    paying, busy = found["errors"]
    assert (paying["type"], paying["message"], paying["line"], paying["count"]) == (
        "ValueError",
        "no card",
        3,
        10,
    )
    assert (paying["first_release"], paying["endpoint_count"]) == ("2.0", 1)
    assert paying["first"] == pytest.approx((now - 1500 * SECOND) / 1e9)
    assert paying["last"] == pytest.approx((now - 1473 * SECOND) / 1e9)
    assert paying["endpoints"] == [{"name": "POST /pay", "kind": "web", "service": "shop", "count": 10}]
    assert (busy["type"], busy["file"], busy["frame"], busy["first_release"]) == (
        "HTTP 503",
        None,
        None,
        "1.0",
    )
    assert busy["releases"] == [{"release": "2.0", "count": 1}, {"release": "1.0", "count": 1}]
    assert (sum(paying["spark"]), sum(busy["spark"]), len(busy["spark"])) == (10, 2, 36)
    assert errors(connection, hour) == found  # remembered, and the same


@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_each_once(connection: Connection, hour: Window, sort: str) -> None:
    whole = [row["type"] for row in errors(connection, hour, Page(sort))["errors"]]
    pages = [errors(connection, hour, Page(sort, "", "", 1, at)) for at in (0, 1)]
    assert [page["errors"][0]["type"] for page in pages] == whole
    assert [page["cursor"] for page in pages] == ["1", None]


def test_sorted_and_searched(connection: Connection, hour: Window) -> None:
    def types(*page: Any) -> list[str]:
        return [row["type"] for row in errors(connection, hour, Page(*page))["errors"]]

    assert types("type") == ["HTTP 503", "ValueError"]
    assert types("last") == ["ValueError", "HTTP 503"]
    assert types("count", "SHOP.py") == types("count", "No Card") == types("count", "/pay") == ["ValueError"]
    with pytest.raises(QuestionError, match="sort='size' is not one of"):
        types("size")


def test_one_with_its_stack_and_source(connection: Connection, hour: Window) -> None:
    listed = errors(connection, hour)["errors"][0]
    found = error(connection, hour, "ValueError", listed["frame"])
    assert found is not None
    assert found["error"] == listed
    assert [(frame["function"], frame["category"]) for frame in found["stack"]] == [
        ("call", "lib"),
        ("pay", "app"),
    ]
    assert found["stack"][1]["source"] is None  # written after it ran: no longer sure to be what ran
    assert found["stack"][1]["changed"] is True
    assert found["messages"] == [{"message": "no card", "count": 10}]
    assert [row["error"] for row in found["traces"]] == ["ValueError"] * 10
    assert found["log"] == [{"t_ms": 0.0, "level": "ERROR", "logger": "shop", "text": "no card at all"}]
    assert found["of"] == found["traces"][0]["id"] == listed["traces"][0]
    assert sum(found["series"]["count"]) == 10


def test_what_they_share(connection: Connection, hour: Window) -> None:
    listed = errors(connection, hour)["errors"][0]
    found = error(connection, hour, "ValueError", listed["frame"])
    assert found is not None
    shared = {(each["attribute"], each["value"]): each for each in found["shared"]["values"]}
    card = shared["context by", "card"]
    assert (card["inside"], card["outside"], card["inside_count"], card["outside_count"]) == (1.0, 0.0, 10, 0)
    assert card["sure"] is True
    assert (shared["release", "2.0"]["inside"], shared["release", "2.0"]["outside"]) == (1.0, 0.4)
    assert ("error", "ValueError") not in shared
    assert (found["shared"]["inside"], found["shared"]["outside"], found["shared"]["thin"]) == (10, 50, True)


def test_one_there_is_not(connection: Connection, hour: Window) -> None:
    assert error(connection, hour, "KeyError") is None
    assert error(connection, hour, "ValueError", "7") is None
    assert error(connection, hour, "HTTP 503") is not None
    with pytest.raises(QuestionError, match=r"frame='shop\.py' is not the id of a frame"):
        error(connection, hour, "ValueError", "shop.py")


def test_of_very_many_the_newest_are_looked_at_and_compared_with_their_own_time(
    tmp_path: Path, hour: Window, now: int
) -> None:
    """What ran before the oldest failure looked at is not held against them."""
    for version, first, failing in (("1.0", 3000, 300), ("2.0", 1500, 2000)):
        start = now - first * SECOND
        made = [record(at=start + number * SECOND // 2, status=500, kept=None) for number in range(failing)]
        made += [record(at=start + number * SECOND, kept=None) for number in range(1000)]
        store = SQLiteStore(str(tmp_path / "many.db"), process(release=version), 2**30)
        store.write(made, {})
        store.close()
    with connect(f"sqlite:///{tmp_path}/many.db") as connection:
        found = errors(connection, hour)
        assert (found["failed"], found["of"], found["more"]) == (2000, 2300, True)
        told = error(connection, hour, "HTTP 500")
    assert told is not None
    assert {each["attribute"] for each in told["shared"]["values"]} == {"status"}
    assert 300 < told["shared"]["outside"] <= 1000
