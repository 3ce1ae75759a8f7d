"""What is answered about jobs."""

from __future__ import annotations

from apm_agent.web.answers.parts import COMMON, ENDPOINT, HISTOGRAM
from apm_agent.web.shapes import NUMBER, TEXT, WHOLE, Maybe, Shape

_RUNS = {
    "wait": {"count": WHOLE, "p50_ms": Maybe(NUMBER), "p95_ms": Maybe(NUMBER), "max_ms": Maybe(NUMBER)},
    "retries": WHOLE, "reruns": WHOLE, "looked": WHOLE, "last": Maybe(NUMBER),
    "schedule": Maybe({"every_s": NUMBER, "drift_ms": NUMBER, "missed": WHOLE, "gaps": WHOLE}),
}  # fmt: skip

ANSWERS: dict[str, Shape] = {
    "jobs": {
        **COMMON, "jobs": [{**ENDPOINT, **_RUNS}],
        "total": {
            "count": WHOLE, "errors": WHOLE, "total_ms": NUMBER, "per_min": NUMBER, "retries": WHOLE, "jobs": WHOLE,
        },
        "idle": [{"name": TEXT, "service": TEXT, "last": NUMBER}],
        "cursor": Maybe(TEXT), "services": [TEXT], "releases": [TEXT],
    },
    "job": {
        **COMMON, "job": {"name": TEXT, "service": TEXT, **_RUNS}, "histogram": HISTOGRAM,
        "series": {
            "t": [NUMBER], "step": WHOLE, "count": [WHOLE], "p50_ms": [Maybe(NUMBER)], "p95_ms": [Maybe(NUMBER)],
        },
        "outcomes": [{"outcome": TEXT, "count": WHOLE}], "queues": [{"queue": TEXT, "count": WHOLE}],
        "enqueued": {
            "senders": [{
                "name": TEXT, "kind": TEXT, "service": TEXT, "method": Maybe(TEXT), "route": Maybe(TEXT),
                "count": WHOLE, "share": NUMBER, "trace": TEXT, "run": TEXT,
            }],
            "known": WHOLE, "gone": WHOLE, "untold": WHOLE,
        },
    },
}  # fmt: skip
