"""What is answered about statements."""

from __future__ import annotations

from apm_agent.web.answers.parts import COMMON, PLACE, PLAN, QUERY, ROW
from apm_agent.web.shapes import NUMBER, TEXT, WHOLE, Maybe, Shape

ANSWERS: dict[str, Shape] = {
    "queries": {
        **COMMON, "queries": [QUERY], "total": {"count": WHOLE, "runs": WHOLE, "total_ms": NUMBER},
        "cursor": Maybe(TEXT), "services": [TEXT], "releases": [TEXT],
    },
    "query": {
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
}  # fmt: skip
