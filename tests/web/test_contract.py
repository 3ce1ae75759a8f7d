"""The JSON API key by key: what the pages read is there, and of the type they read it as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.model.record import TIME_KINDS
from apm_agent.web.app import dashboard
from apm_agent.web.routes import ROUTES

NUMBER, TEXT, WHOLE, YES = (int, float), str, int, bool
Shape = Any


class Maybe:
    """Null, or the shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


class Each:
    """A mapping of any keys to the shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


KINDS = dict.fromkeys(TIME_KINDS, NUMBER)
PLACE = {"file": TEXT, "line": WHOLE, "function": TEXT}
SOURCED = {**PLACE, "source": Maybe(TEXT)}
COMMON = {
    "window": {"from": NUMBER, "to": NUMBER, "range": Maybe(TEXT)},
    "store": {"written_at": Maybe(NUMBER), "stale": YES},
}
ENDPOINT = {
    "name": TEXT, "kind": TEXT, "service": TEXT, "method": Maybe(TEXT), "route": Maybe(TEXT),
    "view": Maybe(TEXT),
    "count": WHOLE, "share": NUMBER, "total_ms": NUMBER, "mean_ms": Maybe(NUMBER), "p50_ms": Maybe(NUMBER),
    "p95_ms": Maybe(NUMBER), "p99_ms": Maybe(NUMBER), "max_ms": Maybe(NUMBER), "errors": WHOLE,
    "queries_per_call": Maybe(NUMBER), "rss_kb": Maybe(NUMBER), "rss_calls": WHOLE, "cpu_ms": Maybe(NUMBER),
    "queue_ms": Maybe(NUMBER), "per_min": NUMBER, "kinds": KINDS, "p95_change": Maybe(NUMBER),
    "spark": [Maybe(NUMBER)], "flags": [TEXT], "why": Maybe(TEXT), "where": Maybe(TEXT),
}  # fmt: skip
ROW = {
    "id": TEXT, "t": NUMBER, "name": TEXT, "kind": TEXT, "service": TEXT, "method": Maybe(TEXT),
    "route": Maybe(TEXT),
    "path": Maybe(TEXT), "duration_ms": NUMBER, "status": Maybe(WHOLE), "failed": YES, "error": Maybe(TEXT),
    "kinds": KINDS, "queries": WHOLE, "cpu_ms": Maybe(NUMBER), "rss_kb": Maybe(NUMBER), "rss_shared": YES,
    "release": Maybe(TEXT), "host": TEXT, "pid": WHOLE, "kept": Maybe(TEXT), "has_detail": YES,
}  # fmt: skip
SERIES = {
    "t": [NUMBER], "step": WHOLE, "count": [WHOLE], "errors": [WHOLE], "p50_ms": [Maybe(NUMBER)],
    "p95_ms": [Maybe(NUMBER)], "p99_ms": [Maybe(NUMBER)], "kinds": {kind: [NUMBER] for kind in TIME_KINDS},
}  # fmt: skip
HEATMAP = {"edges_ms": [NUMBER], "counts": [[WHOLE]]}
HISTOGRAM = {"edges_ms": [NUMBER], "counts": [WHOLE]}
INSIGHT = {
    "kind": TEXT, "title": TEXT, "why": TEXT, "where": Maybe(SOURCED), "count": WHOLE, "of": WHOLE,
    "cost_ms": NUMBER, "total_ms": NUMBER, "statement": Maybe({"id": TEXT, "text": TEXT}), "fix": Maybe(TEXT),
    "trace": Maybe(TEXT), "severity": TEXT,
}  # fmt: skip
SOURCE = {
    "file": TEXT, "function": TEXT,
    "lines": [{"number": WHOLE, "text": TEXT, "own_ms": NUMBER, "total_ms": NUMBER}],
}  # fmt: skip
STATEMENT = {
    "id": TEXT, "text": TEXT, "runs": WHOLE, "total_ms": NUMBER, "mean_ms": NUMBER, "max_ms": NUMBER,
}  # fmt: skip
FIGURE = {"value": Maybe(NUMBER), "previous": Maybe(NUMBER), "spark": [Maybe(NUMBER)]}
BAND = {"count": WHOLE, "mean_ms": Maybe(NUMBER), "kinds": KINDS}
FRAME = {**PLACE, "category": TEXT}
SIDE = {"label": TEXT, "from": NUMBER, "to": NUMBER, "transaction": Maybe(TEXT), "count": WHOLE}
FIGURES = (
    "count", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "error_rate", "queries_per_call", "cpu_ms", "rss_kb",
)  # fmt: skip
TOOK = {"own_ms": NUMBER, "total_ms": NUMBER, "own_samples": WHOLE, "total_samples": WHOLE}
RAN = {"runs": WHOLE, "runs_per_call": NUMBER, "ms_per_call": NUMBER, "mean_ms": Maybe(NUMBER)}
STACKED = {"thread": TEXT, "task": Maybe(TEXT), "stack_state": TEXT, "stack": [FRAME], "cut": WHOLE}
PLACED = {"file": TEXT, "line": WHOLE, "category": TEXT, "source": Maybe(TEXT)}
MEMORY = {
    "kept_kb": NUMBER, "peak_kb": Maybe(NUMBER), "objects": WHOLE, "took_ms": NUMBER, "overlap": WHOLE,
    "exclusive": YES, "note": TEXT, "lines": [{**PLACED, "kb": NUMBER, "blocks": WHOLE}],
    "types": [{"type": TEXT, "count": WHOLE, "where": Maybe(PLACED)}],
    "holders": [{"type": TEXT, "held_by": [{"what": TEXT, "count": WHOLE}]}],
}  # fmt: skip
QUERY = {
    "id": TEXT, "text": TEXT, "summary": TEXT, "runs": WHOLE, "per_min": NUMBER, "runs_per_call": NUMBER,
    "total_ms": NUMBER, "mean_ms": NUMBER, "max_ms": NUMBER, "share": NUMBER, "endpoint_count": WHOLE,
    "endpoints": [{"name": TEXT, "kind": TEXT, "service": TEXT}], "where": [PLACE], "places": WHOLE, "flags": [TEXT],
}  # fmt: skip
PLAN = {
    "id": TEXT, "release": Maybe(TEXT), "database": TEXT, "at": NUMBER, "server": TEXT, "note": TEXT,
    "steps": [{
        "depth": WHOLE, "text": TEXT, "details": [TEXT], "rows": Maybe(NUMBER), "cost": Maybe(NUMBER), "scan": YES,
    }],
    "before": Maybe({"release": Maybe(TEXT), "at": NUMBER, "changed": YES, "gone": [TEXT], "new": [TEXT]}),
}  # fmt: skip

SHAPES: dict[str, Shape] = {
    "bytecode?id={id}&file={file}&function={function}": {
        **COMMON, "file": TEXT, "function": TEXT, "python": TEXT, "ran_on": Maybe(TEXT),
        "lines": [{"line": WHOLE, "instructions": [[object]]}],
    },
    "endpoints?range=24h": {
        **COMMON, "endpoints": [ENDPOINT],
        "total": {"count": WHOLE, "errors": WHOLE, "total_ms": NUMBER, "per_min": NUMBER},
        "cursor": Maybe(TEXT), "services": [TEXT], "releases": [TEXT],
    },
    "overview?range=24h": {
        **COMMON, "kpi": dict.fromkeys(("per_min", "p50_ms", "p95_ms", "error_rate", "busy"), FIGURE),
        "series": SERIES, "heatmap": HEATMAP,
        "fix_first": [{
            "kind": TEXT, "title": TEXT, "name": TEXT, "endpoint_kind": TEXT, "service": TEXT, "why": TEXT,
            "where": Maybe(TEXT), "cost_ms": NUMBER, "share": NUMBER, "trace": Maybe(TEXT), "severity": TEXT,
            "evidence": Maybe(Each(object)),
        }],
        "endpoints": [ENDPOINT], "slowest": [ROW],
        "workers": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "started": NUMBER, "rss_kb": Maybe(NUMBER),
            "last_seen": NUMBER,
        }],
        "releases": [{"version": TEXT, "first_seen": NUMBER}],
    },
    "endpoint?range=24h&name=GET%20/orders&kind=web&service=shop": {
        **COMMON, "endpoint": ENDPOINT, "series": {**SERIES, "rss_kb": [Maybe(NUMBER)]}, "heatmap": HEATMAP,
        "histogram": HISTOGRAM, "bands": dict.fromkeys(("fast", "typical", "slow"), BAND),
        "insights": [{**INSIGHT, "evidence": Maybe(Each(object))}],
        "hot_lines": [{
            **FRAME, "own_ms": NUMBER, "total_ms": NUMBER, "cpu_ms": Maybe(NUMBER), "share": NUMBER,
            "source": Maybe(TEXT),
            "changed": YES,
        }],
        "source": [SOURCE],
        "statements": [{**STATEMENT, "runs_per_call": NUMBER, "share": NUMBER, "where": Maybe(PLACE)}],
        "traces": [ROW],
        "memory": {"exclusive": WHOLE, "mean_kb": Maybe(NUMBER), "p50_kb": Maybe(NUMBER),
        "max_kb": Maybe(NUMBER)},
        "profile_url": TEXT,
    },
    "traces?range=24h&limit=3": {**COMMON, "traces": [ROW], "cursor": TEXT},
    "trace?id={id}": {
        **COMMON,
        "trace": {
            **ROW, "view": Maybe(TEXT), "queue_ms": Maybe(NUMBER), "first_byte_ms": Maybe(NUMBER),
            "percentile": Maybe(NUMBER), "endpoint_count": WHOLE, "p50_ms": Maybe(NUMBER),
            "p95_ms": Maybe(NUMBER),
            "p99_ms": Maybe(NUMBER),
            "rss": {
                "before_kb": Maybe(NUMBER), "after_kb": Maybe(NUMBER), "delta_kb": Maybe(NUMBER),
                "peak_kb": Maybe(NUMBER),
                "overlap": WHOLE,
            },
            "context": Each(object),
            "error": Maybe({
                "type": TEXT, "message": Maybe(TEXT), "file": Maybe(TEXT), "line": Maybe(WHOLE),
                "function": Maybe(TEXT),
            }),
            "python": Maybe(TEXT), "worker": Maybe(TEXT), "server": Maybe(TEXT),
        },
        "histogram": HISTOGRAM, "insights": [INSIGHT],
        "spans": [{
            "id": WHOLE, "parent": Maybe(WHOLE), "kind": TEXT, "name": TEXT, "start_ms": NUMBER,
            "duration_ms": NUMBER,
            "self_ms": NUMBER, "statement": Maybe({"id": TEXT}), "where": Maybe(SOURCED),
            "tags": Each(object),
            "repeats": Maybe(TEXT), "open": YES,
        }],
        "lost": [{"kind": TEXT, "name": TEXT, "count": WHOLE, "total_ms": NUMBER}],
        "statements": [{**STATEMENT, "where": Maybe(SOURCED)}], "frames": [FRAME],
        "samples": [{
            "t_ms": NUMBER, "weight_ms": NUMBER, "cpu_ms": Maybe(NUMBER), "stack": [WHOLE], "state": TEXT,
        }],
        "sampled": {
            "interval_ms": Maybe(NUMBER), "count": WHOLE, "sampled_ms": NUMBER, "uncertain_ms": NUMBER,
            "lost": WHOLE,
        },
        "blocked_by": [
            {"name": TEXT, "trace": Maybe(TEXT), "where": Maybe(SOURCED), "ms": NUMBER, "uncertain_ms": NUMBER},
        ],
        "blocking": Maybe({"victims": WHOLE, "ms": NUMBER, "uncertain_ms": NUMBER}),
        "gc": [{"t_ms": NUMBER, "duration_ms": NUMBER, "generation": WHOLE}], "rss_curve": [[NUMBER]],
        "log": [{"t_ms": NUMBER, "level": TEXT, "logger": TEXT, "text": TEXT}],
        "callgraph": Maybe({
            "functions": [{**FRAME, "calls": WHOLE, "own_ms": NUMBER, "total_ms": NUMBER}], "note": TEXT,
        }),
        "captured": Maybe({"capture": TEXT, "arm": Maybe(TEXT)}), "memory_capture": Maybe(MEMORY),
        "lines": [{
            **PLACED, "function": TEXT, "total_ms": NUMBER,
            "lines": [{"number": WHOLE, "text": Maybe(TEXT), "hits": WHOLE, "ms": NUMBER}],
        }],
        "source": [SOURCE], "previous": Maybe(TEXT), "next": Maybe(TEXT), "median": Maybe(TEXT),
        "detail": YES, "why_none": Maybe(TEXT),
    },
    "profile?range=24h&name=GET%20/orders": {
        **COMMON,
        "frames": {"function": [TEXT], "file": [TEXT], "line": [WHOLE], "category": [TEXT]},
        "nodes": {"parent": [WHOLE], "frame": [WHOLE], "total_ns": [WHOLE], "own_ns": [WHOLE],
        "samples": [WHOLE]},
        "total_ns": WHOLE, "count": WHOLE, "transactions": WHOLE, "pruned_ns": WHOLE,
        "clock": TEXT, "unclocked_ns": WHOLE,
    },
    "memory?range=24h": {
        **COMMON,
        "endpoints": [{
            "name": TEXT, "kind": TEXT, "service": TEXT, "exclusive": WHOLE, "counted": WHOLE,
            "mean_kb": Maybe(NUMBER), "p50_kb": Maybe(NUMBER), "total_kb": Maybe(NUMBER),
            "slope_kb": Maybe(NUMBER), "p_value": Maybe(NUMBER), "verdict": TEXT,
        }],
        "workers": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "started": NUMBER, "rss_kb": Maybe(NUMBER),
            "last_seen": NUMBER, "growth_kb": Maybe(NUMBER),
        }],
        "method": TEXT, "more": YES,
    },
    "arms": {**COMMON, "arms": [{
        "id": TEXT, "endpoint": TEXT, "service": Maybe(TEXT), "capture": TEXT, "count": WHOLE, "done": WHOLE,
        "state": TEXT, "created": NUMBER, "until": NUMBER, "functions": [PLACE], "unmeasured": Each(WHOLE),
    }]},
    "compare?range=24h&a=before:6h&b=range:6h": {
        **COMMON, "a": SIDE, "b": SIDE, "thin": YES, "why_thin": Maybe(TEXT),
        "kpi": {name: dict.fromkeys(("before", "after", "change"), Maybe(NUMBER)) for name in FIGURES},
        "histogram": {"edges_ms": [NUMBER], "before": [WHOLE], "after": [WHOLE]},
        "functions": [{
            **FRAME, "before": TOOK, "after": TOOK,
            "own_change_ms": NUMBER, "total_change_ms": NUMBER, "own_sureness": Maybe(NUMBER),
            "total_sureness": Maybe(NUMBER), "significant": YES,
        }],
        "statements": [{
            "text": TEXT, "status": TEXT, "change_ms": NUMBER, "where": Maybe(PLACE),
            "before": RAN, "after": RAN,
        }],
        "endpoints": [{
            "name": TEXT, "kind": TEXT, "service": TEXT, "status": TEXT, "change_ms": Maybe(NUMBER),
            "p95_change": Maybe(NUMBER), "cost_ms": Maybe(NUMBER), "thin": YES,
            **dict.fromkeys(("before", "after"), dict.fromkeys(FIGURES, Maybe(NUMBER))),
        }],
        "flame": {
            "frames": {"function": [TEXT], "file": [TEXT], "line": [WHOLE], "category": [TEXT]},
            "nodes": {
                "parent": [WHOLE], "frame": [WHOLE], "before_ns": [NUMBER], "after_ns": [NUMBER],
                "before_own_ns": [NUMBER], "after_own_ns": [NUMBER],
            },
            "calls": {"before": WHOLE, "after": WHOLE}, "samples": {"before": WHOLE, "after": WHOLE},
        },
    },
    "errors?range=24h": {
        **COMMON, "failed": WHOLE, "more": YES,
        "errors": [{
            "type": TEXT, "message": Maybe(TEXT), "file": Maybe(TEXT), "line": Maybe(WHOLE), "function": Maybe(TEXT),
            "count": WHOLE, "first": NUMBER, "last": NUMBER, "endpoints": [{"name": TEXT, "count": WHOLE}],
            "releases": [{"release": Maybe(TEXT), "count": WHOLE}], "traces": [TEXT],
        }],
    },
    "queries?range=24h": {
        **COMMON, "queries": [QUERY], "total": {"count": WHOLE, "runs": WHOLE, "total_ms": NUMBER},
        "cursor": Maybe(TEXT), "services": [TEXT], "releases": [TEXT],
    },
    "query?range=24h&id={statement}": {
        **COMMON, "query": Maybe(QUERY), "id": TEXT, "text": TEXT, "summary": TEXT,
        "p95": {"ms": Maybe(NUMBER), "count": WHOLE},
        "series": {
            "t": [NUMBER], "step": WHOLE, "runs": [WHOLE], "total_ms": [NUMBER],
            "mean_ms": [Maybe(NUMBER)], "max_ms": [Maybe(NUMBER)],
        },
        "senders": [{
            "name": TEXT, "kind": TEXT, "service": TEXT, "method": Maybe(TEXT), "route": Maybe(TEXT),
            "where": Maybe(PLACE), "runs": WHOLE, "calls": WHOLE, "runs_per_call": NUMBER, "total_ms": NUMBER,
            "mean_ms": NUMBER, "max_ms": NUMBER, "share": NUMBER,
        }],
        "examples": [{**ROW, "runs": WHOLE, "statement_ms": NUMBER, "longest_ms": NUMBER}],
        "plans": [PLAN],
        "explain": {"databases": [{"name": TEXT, "engine": TEXT}], "refused": Maybe(TEXT)},
    },
    "live": {
        **COMMON, "asked_until": Maybe(NUMBER),
        "processes": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "answers": YES, "in_flight": WHOLE,
            "written_at": Maybe(NUMBER), "last_seen": Maybe(NUMBER), "cost_share": Maybe(NUMBER),
        }],
        "in_flight": [{
            "id": TEXT, "name": TEXT, "kind": TEXT, "service": TEXT, "host": TEXT, "pid": WHOLE,
            "path": Maybe(TEXT), "age_ms": NUMBER, "state": TEXT,
            "span": Maybe({"kind": TEXT, "name": TEXT, "age_ms": NUMBER}), "p95_ms": Maybe(NUMBER), **STACKED,
            "also": [STACKED],
        }],
    },
    "health": {
        **COMMON, "agent": {"version": TEXT, "schema": WHOLE},
        "store": {
            "url": TEXT, "bytes": WHOLE, "wal_bytes": Maybe(WHOLE), "max_bytes": WHOLE, "oldest": NUMBER,
            "newest": NUMBER, "transactions": WHOLE, "written_at": NUMBER, "stale": YES,
        },
        "processes": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "release": Maybe(TEXT), "started": NUMBER,
            "last_seen": NUMBER,
            "python": Maybe(TEXT), "server": Maybe(TEXT), "sampler": Each(object), "recorder": Each(object),
            "writer": Each(object), "overhead": Each(object), "instruments": [Each(object)],
            "contained": [Each(object)], "settings": Each(object),
        }],
    },
}  # fmt: skip


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
    elif shape is not object:
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


@pytest.mark.parametrize("question", SHAPES)
def test_every_key_with_its_type(question: str, ask: Callable[[str], Any]) -> None:
    if "{statement}" in question:
        for row in ask("queries?range=24h")["queries"]:
            check(ask(question.format(statement=row["id"])), SHAPES[question], question)
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
                        check(ask(asked), SHAPES[question], question)
    else:
        check(ask(question), SHAPES[question], question)


def test_every_route_has_a_shape() -> None:
    assert {question.partition("?")[0] for question in SHAPES} == set(ROUTES)


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
