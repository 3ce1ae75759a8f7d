"""The tools there are: each is a question of the API, with what of its answer is worth an assistant's attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from apm_agent.mcp import folding
from apm_agent.web import parameters
from apm_agent.web.declared import declared
from apm_agent.web.parameters import COMMON, Parameter
from apm_agent.web.routes import ROUTES

Answer = dict[str, Any]


class Tool(NamedTuple):
    """A question under the name an assistant calls it by."""

    question: str
    about: str
    #: Keys of the answer that are told; all where there are none.
    keeps: tuple[str, ...] = ()
    #: Makes the answer shorter in a way of its own, before it is cut.
    fold: Callable[[Answer], Answer] | None = None
    #: Parameters that mean something in a tool; all of the question's where there are none.
    takes: tuple[str, ...] = ()
    common: tuple[str, ...] = COMMON

    def parameters(self) -> dict[str, Parameter]:
        """What it takes, as the question declares it."""
        names = self.takes or ROUTES[self.question].parameters
        known = declared(self.question, names)
        return {name: known[name] for name in (*names, *self.common)}

    def schema(self) -> dict[str, Any]:
        """What it takes, as JSON Schema."""
        told = self.parameters()
        return {
            "type": "object",
            "properties": {
                name: {**parameters.schema(each), "description": each.about} for name, each in told.items()
            },
            "required": [name for name, each in told.items() if each.required],
            "additionalProperties": False,
        }


_ROWS = ("q", "sort", "limit", "cursor")

TOOLS: Mapping[str, Tool] = {
    "overview": Tool(
        "overview",
        "Begin here. What is slow or failing in this application and what to fix first, each with its cause in words, "
        "the line and what it costs; key figures, the endpoints that take most time and the slowest requests.",
        ("kpi", "total", "fix_first", "endpoints", "slowest", "releases"),
        folding.overview,
    ),
    "endpoints": Tool(
        "endpoints",
        "Endpoints and background jobs with calls, percentiles, errors, queries a call, where their time goes, and "
        "`why` they are slow, with the line.",
        ("endpoints", "total", "cursor", "services", "releases"),
    ),
    "endpoint": Tool(
        "endpoint",
        "Why one endpoint is slow: causes found (repeated queries, slow queries, waits, growth) with fix and line, "
        "time by kind for the fast, typical and slow calls, hot lines with their source, statements, slowest requests.",
        ("endpoint", "insights", "bands", "hot_lines", "source", "statements", "memory", "traces"),
    ),
    "slow_requests": Tool(
        "traces",
        "Single requests and jobs, the longest first, to be narrowed by endpoint, duration, status, failure or text in "
        "path and context. Their ids go into `trace`; of those with has_detail (`kept=1`) spans are known.",
        ("traces", "cursor"),
        takes=("name", "kind", "min_ms", "max_ms", "status", "failed", "kept", "q", "sort", "limit", "cursor"),
    ),
    "trace": Tool(
        "trace",
        "One request: where its time went, spans with repeats folded, statements, lines seen by the sampler, what it "
        "waited for, log lines, error and source.",
        (
            "trace", "insights", "spans", "lost", "statements", "hot", "blocked_by", "gc", "log", "source", "detail",
            "why_none", "median",
        ),
        folding.trace,
        common=(),
    ),
    "queries": Tool(
        "queries",
        "SQL statements (values taken out) with runs, time, flags and the lines that send them, costliest first.",
        ("queries", "total", "cursor"),
        takes=_ROWS,
    ),
    "query": Tool(
        "query",
        "One SQL statement: which endpoints and lines send it, how often, how long, example requests, and plans that "
        "people asked the database for.",
        ("text", "summary", "query", "p95", "senders", "examples", "plans"),
    ),
    "errors": Tool(
        "errors",
        "Failed requests and jobs by error and the line it was raised at, with counts, endpoints, releases and ids of "
        "traces.",
        ("errors", "failed", "of", "cursor"),
    ),
    "compare": Tool(
        "compare",
        "Two releases, windows or requests held against each other: figures, functions, statements and endpoints that "
        "changed, with how sure each change is. Without `a` and `b`: `by=window` or `by=release`.",
        ("a", "b", "thin", "why_thin", "kpi", "kinds", "functions", "statements", "endpoints"),
    ),
    "memory": Tool(
        "memory",
        "Which endpoints keep memory, with how sure that is, and how much each worker process holds.",
        ("endpoints", "workers", "method"),
    ),
    "health": Tool(
        "health",
        "Whether the monitor itself is well: its own cost, what it lost, checks with their cures, the store's size and "
        "age. Ask it when figures are missing.",
        ("agent", "store", "cost", "checks"),
        common=(),
    ),
}  # fmt: skip
