"""The JSON API key by key: what the pages read is there, and of the type they read it as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.model.record import TIME_KINDS
from apm_agent.web.answers import ANSWERS
from apm_agent.web.app import dashboard
from apm_agent.web.routes import ROUTES
from apm_agent.web.shapes import ANY, Each, File, Maybe, One, Shape

#: Each question of ROUTES, put to the made-up day. What must come back is in apm_agent/web/answers/.
QUESTIONS = (
    "bytecode?id={id}&file={file}&function={function}",
    "blame?id={id}&file={file}&line=3",
    "site",
    "endpoints?range=24h",
    "groups?range=24h&by=app",
    "filters",
    "overview?range=24h",
    "explain?range=24h&min_ms=200",
    "endpoint?range=24h&name=GET%20/orders&kind=web&service=shop",
    "traces?range=24h&limit=3",
    "trace?id={id}",
    "profile?range=24h&name=GET%20/orders",
    "memory?range=24h",
    "arms",
    "captures?range=24h",
    "compare?range=24h&a=before:6h&b=range:6h",
    "jobs?range=24h",
    "job?range=24h&name=shop.tasks.send_receipt",
    "errors?range=24h",
    "error?range=24h&type=ValueError&frame={frame}",
    "queries?range=24h",
    "query?range=24h&id={statement}",
    "live",
    "health",
)


def shape_of(question: str) -> Shape:
    """The shape the OpenAPI document tells of a question's answer."""
    return ANSWERS[question.partition("?")[0]]


def check(value: Any, shape: Shape, at: str) -> None:
    """Exactly the keys of the shape, down to each value's type."""
    if isinstance(shape, Maybe):
        if value is not None:
            check(value, shape.shape, at)
    elif isinstance(shape, Each):
        assert isinstance(value, dict), at
        for key, part in value.items():
            check(part, shape.shape, f"{at}.{key}")
    elif isinstance(shape, dict):
        assert isinstance(value, dict), at
        assert set(value) == set(shape), at
        for key, part in shape.items():
            check(value[key], part, f"{at}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), at
        for number, part in enumerate(value):
            check(part, shape[0], f"{at}[{number}]")
    elif isinstance(shape, One):
        assert value in shape.values, f"{at} is {value!r}"
    elif shape is not ANY:
        assert isinstance(value, shape), f"{at} is {value!r}"
        assert shape is bool or not isinstance(value, bool), f"{at} is {value!r}"


@pytest.fixture(scope="module")
def ask(url: str) -> Callable[[str], Any]:
    client = Client(dashboard(url, open_to_all=True))

    def asked(question: str) -> Any:
        answer = client.get(f"/api/v1/{question}")
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.get_json()

    return asked


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_key_with_its_type(question: str, ask: Callable[[str], Any]) -> None:
    if "{frame}" in question:
        for row in ask("errors?range=24h&q=ValueError")["errors"]:
            check(ask(question.format(frame=row["frame"])), shape_of(question), question)
    elif "{statement}" in question:
        for row in ask("queries?range=24h")["queries"]:
            check(ask(question.format(statement=row["id"])), shape_of(question), question)
    elif "{id}" in question:
        for name in (
            "GET%20/orders",
            "POST%20/quote",
            "GET%20/basket/%3Cint:id%3E",
            "WS%20/live&kind=websocket",
        ):
            for kept in ("1", "0"):
                for row in ask(f"traces?range=24h&limit=1&kept={kept}&name={name}")["traces"]:
                    for frame in ask(f"trace?id={row['id']}")["frames"][:1] if "{file}" in question else [{}]:
                        asked = question.format(id=row["id"], **frame)
                        check(ask(asked), shape_of(question), question)
    else:
        check(ask(question), shape_of(question), question)


def test_every_route_has_a_shape() -> None:
    files = {name for name, shape in ANSWERS.items() if isinstance(shape, File)}
    assert {question.partition("?")[0] for question in QUESTIONS} | files == set(ROUTES)


def test_an_empty_store_answers_every_question(tmp_path: Path) -> None:
    client = Client(dashboard(f"sqlite:///{tmp_path}/none.db", open_to_all=True))
    for question in ("endpoints", "overview", "traces", "profile", "health"):
        answer = client.get(f"/api/v1/{question}")
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["store"]["written_at"] is None
    assert client.get("/api/v1/endpoint?name=GET%20/").status_code == 404
    assert client.get("/api/v1/trace?id=1").status_code == 404


def test_columns_and_edges_fit_together(ask: Callable[[str], Any]) -> None:
    for span in ("15m", "1h", "6h", "24h", "7d"):
        answer = ask(f"overview?range={span}")
        series, heatmap = answer["series"], answer["heatmap"]
        length = len(series["t"])
        assert 1 <= length <= 122
        assert all(len(series[key]) == length for key in ("count", "errors", "p50_ms", "p95_ms", "p99_ms"))
        assert [len(column) for column in series["kinds"].values()] == [length] * len(TIME_KINDS)
        assert len(heatmap["counts"]) == length
        assert {len(column) for column in heatmap["counts"]} == {max(0, len(heatmap["edges_ms"]) - 1)}
        assert heatmap["edges_ms"] == sorted(heatmap["edges_ms"])
        assert all(b - a == series["step"] for a, b in zip(series["t"], series["t"][1:], strict=False))
        assert [sum(column) for column in heatmap["counts"]] == series["count"]
        assert all(len(row["spark"]) == 36 for row in ask(f"endpoints?range={span}")["endpoints"])


def test_downloads_are_named(url: str) -> None:
    client = Client(dashboard(url, open_to_all=True))
    for form, ending in (("speedscope", ".speedscope.json"), ("folded", ".folded.txt")):
        answer = client.get(f"/api/v1/profile?range=24h&name=GET%20/orders&format={form}")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="GET-orders{ending}"'
        assert answer.data
    totals = client.get("/api/v1/profile?range=24h&name=GET%20/orders&prune=0").get_json()["total_ns"]
    folded = client.get("/api/v1/profile?range=24h&name=GET%20/orders&format=folded").text
    assert sum(int(line.rpartition(" ")[2]) for line in folded.splitlines()) == totals
