"""Every question asked of both stores: the answers are equal, order included."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.queries.pool import Pool
from apm_agent.web.app import dashboard
from apm_agent.web.routes import ROUTES

#: Windows that do not move while they are asked about: (from, to).
_NOW = int(time.time()) - 2
_WINDOWS = {
    "hour": (_NOW - 3600, _NOW),
    "day": (_NOW - 86_400, _NOW),
    "past": (_NOW - 7 * 3600, _NOW - 2 * 3600),
    "before": (_NOW - 40 * 86_400, _NOW - 39 * 86_400),
}
_NAMES = ("GET /orders", "POST /quote", "nightly", "WS /live")
#: Questions about this machine, not about what is in the store.
_ELSEWHERE = {"site", "blame", "saved", "live", "arms"}


def _asked() -> Iterator[tuple[str, dict[str, str]]]:
    for question in (
        "overview",
        "endpoints",
        "explain",
        "filters",
        "queries",
        "memory",
        "jobs",
        "errors",
        "traces",
    ):
        yield question, {}
    for sort in ("p95", "count", "name", "errors", "memory", "cpu"):
        yield "endpoints", {"sort": sort}
    for narrowed in ({"release": "1.4.0"}, {"service": "shop"}, {"service": "none"}):
        for question in ("overview", "endpoints", "queries", "traces", "errors", "memory"):
            yield question, narrowed
    for filters in (
        {"failed": "1"}, {"kept": "1"}, {"min_ms": "100"}, {"max_ms": "20"}, {"status": "500"}, {"q": "plan=pro"},
        {"sort": "started"}, {"sort": "duration", "limit": "7"}, {"kind": "background"}, {"q": "basket"},
    ):  # fmt: skip
        yield "traces", filters
    for by in ("view", "module", "app"):
        yield "groups", {"by": by}
    for name in _NAMES:
        for question in ("endpoint", "traces", "profile", "captures", "explain"):
            yield question, {"name": name}
        yield "profile", {"name": name, "format": "folded"}
    yield "profile", {}
    yield "profile", {"clock": "cpu", "name": "POST /quote"}
    yield "compare", {"a": "release:1.3.0", "b": "release:1.4.0"}
    yield "compare", {"a": "release:1.3.0", "b": "release:1.4.0", "name": "POST /quote"}
    yield "job", {"name": "nightly"}


#: All of one window, and of each other every tenth.
_QUESTIONS = [
    (question, {**parameters, "from": str(start), "to": str(end)})
    for name, (start, end) in _WINDOWS.items()
    for number, (question, parameters) in enumerate(_asked())
    if name == "past" or number % 10 == list(_WINDOWS).index(name)
]


@pytest.fixture(scope="module")
def pages(day: Path, shipped: str) -> tuple[Client, Client]:
    """The dashboards of both."""
    return Client(dashboard(f"sqlite:///{day}")), Client(dashboard(shipped))


def _answer(page: Client, question: str, parameters: dict[str, str]) -> tuple[int, Any]:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}
    response = page.get(f"/api/v1/{question}", query_string=parameters, environ_overrides=environ)
    if response.content_type != "application/json":
        return response.status_code, response.get_data()
    found = json.loads(response.get_data())
    found.get("store", {}).pop("stale", None)  # of the present too: two minutes may end between two questions
    for side in (found.get("a"), found.get("b")) if question == "compare" else ():
        ((side or {}).get("profiled") or {}).pop("to", None)  # the present, where a release still runs
    return response.status_code, found


def _differing(pages: tuple[Client, Client], asked: list[tuple[str, dict[str, str]]]) -> list[str]:
    found = []
    for question, parameters in asked:
        one, other = (_answer(page, question, parameters) for page in pages)
        if one != other:
            found.append(f"{question} {parameters}: {_first(one, other)}")
    return found


def _first(one: Any, other: Any, where: str = "") -> str:
    """Where two answers begin to differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            if one.get(key) != other.get(key):
                return _first(one.get(key), other.get(key), f"{where}.{key}")
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b:
                return _first(a, b, f"{where}[{number}]")
    return f"{where}: {one!r:.200} and {other!r:.200}"


def test_every_question_has_one_answer(pages: tuple[Client, Client]) -> None:
    assert {question for question, _ in _QUESTIONS} >= set(ROUTES) - _ELSEWHERE - _SINGLE - {"health"}
    differing = _differing(pages, _QUESTIONS)
    share = 1 - len(differing) / len(_QUESTIONS)
    assert not differing, f"{share:.1%} of {len(_QUESTIONS)} agree; not\n" + "\n".join(differing[:20])


#: Questions about one thing, whose name comes from an answer before.
_SINGLE = {"trace", "query", "error", "bytecode"}


def test_what_is_asked_about_one_thing_has_one_answer(pages: tuple[Client, Client]) -> None:
    start, end = _WINDOWS["day"]
    window = {"from": str(start), "to": str(end)}
    local = pages[0]
    asked: list[tuple[str, dict[str, str]]] = []
    for filters in ({}, {"kept": "1"}, {"failed": "1", "kept": "1"}, {"name": "POST /quote", "kept": "1"}):
        for row in _answer(local, "traces", {**window, **filters})[1]["traces"][:5]:
            asked += [("trace", {"id": row["id"]}), ("profile", {"id": row["id"]})]
            asked.append(("compare", {"a": f"tx:{row['id']}", "b": f"range:{start}..{end}"}))
    for row in _answer(local, "queries", window)[1]["queries"]:
        asked.append(("query", {**window, "id": str(row["id"])}))
    for row in _answer(local, "errors", window)[1]["errors"]:
        asked.append(("error", {**window, "type": row["type"], "frame": row["frame"]}))
    asked.append(("trace", {"id": "00000000000000ff"}))
    assert len(asked) > 40
    assert not _differing(pages, asked)


def test_health_tells_of_the_same_processes_and_of_who_ships(pages: tuple[Client, Client]) -> None:
    local, far = (_answer(page, "health", {})[1] for page in pages)
    assert far["processes"] == local["processes"]
    assert far["privacy"] == local["privacy"]
    assert far["cost"] == local["cost"]
    for figure in ("oldest", "newest", "transactions", "details", "kept"):
        assert far["store"][figure] == local["store"][figure], figure


def test_a_pool_begins_with_what_is_there(shipped: str) -> None:
    with Pool(shipped).session() as connection:
        assert not connection.empty
        assert connection.partial == ""
