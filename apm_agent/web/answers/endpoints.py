"""What is answered about endpoints."""

from __future__ import annotations

from apm_agent.web.answers.parts import (
    BAND,
    COMMON,
    ENDPOINT,
    FIGURE,
    FRAME,
    HEATMAP,
    HISTOGRAM,
    INSIGHT,
    PLACE,
    ROW,
    SERIES,
    SOURCE,
    STATEMENT,
)
from apm_agent.web.shapes import ANY, NUMBER, TEXT, WHOLE, YES, Each, Maybe, Shape

#: What a row says of one endpoint and not of many together.
_OF_ONE = frozenset({
    "kind", "method", "route", "view", "cpu_ms", "queue_ms", "spark", "flags", "why", "where",
})  # fmt: skip

ANSWERS: dict[str, Shape] = {
    "overview": {
        **COMMON, "kpi": dict.fromkeys(("per_min", "p50_ms", "p95_ms", "error_rate", "busy"), FIGURE),
        "total": {"count": WHOLE, "errors": WHOLE, "total_ms": NUMBER, "count_before": WHOLE},
        "series": SERIES, "heatmap": HEATMAP,
        "fix_first": [{
            "kind": TEXT, "title": TEXT, "name": TEXT, "endpoint_kind": TEXT, "service": TEXT,
            "method": Maybe(TEXT), "route": Maybe(TEXT), "why": TEXT, "where": Maybe(TEXT), "transactions": WHOLE,
            "cost_ms": NUMBER, "cost_kb": Maybe(NUMBER), "share": NUMBER, "trace": Maybe(TEXT), "severity": TEXT,
            "evidence": Maybe(Each(ANY)),
        }],
        "endpoints": [ENDPOINT], "slowest": [ROW],
        "workers": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "started": NUMBER, "rss_kb": Maybe(NUMBER),
            "last_seen": NUMBER,
        }],
        "crew": {
            "restarts": Maybe(WHOLE), "in_flight": Maybe({"count": WHOLE, "oldest_ms": Maybe(NUMBER)}),
            "longest_gc_ms": Maybe(NUMBER),
        },
        "releases": [{"version": TEXT, "first_seen": NUMBER}],
    },
    "explain": {
        **COMMON, "selected": {"count": WHOLE, "looked_at": WHOLE, "median_ms": Maybe(NUMBER)},
        "others": {"count": WHOLE, "looked_at": WHOLE},
        "box": {"from": NUMBER, "to": NUMBER, "min_ms": NUMBER, "max_ms": Maybe(NUMBER)},
        "base": {"from": NUMBER, "to": NUMBER}, "sampled": YES, "thin": YES,
        "shared": [{
            "attribute": TEXT, "value": TEXT, "inside": NUMBER, "outside": Maybe(NUMBER), "inside_count": WHOLE,
            "outside_count": WHOLE, "sure": YES,
            "endpoint": Maybe({"name": TEXT, "kind": TEXT, "service": TEXT}),
            "also": [{"attribute": TEXT, "value": TEXT}],
        }],
        "median": Maybe({"id": TEXT, "duration_ms": NUMBER, "has_detail": YES}),
    },
    "endpoints": {
        **COMMON, "endpoints": [ENDPOINT],
        "total": {"count": WHOLE, "errors": WHOLE, "total_ms": NUMBER, "per_min": NUMBER},
        "cursor": Maybe(TEXT), "services": [TEXT], "releases": [TEXT],
    },
    "groups": {
        **COMMON, "services": [TEXT], "releases": [TEXT],
        "groups": [{
            **{key: shape for key, shape in ENDPOINT.items() if key not in _OF_ONE}, "endpoints": WHOLE,
        }],
    },
    "filters": {
        **COMMON, "services": [TEXT], "releases": [TEXT], "hosts": [TEXT],
        "counts": {
            "endpoints": WHOLE, "jobs": WHOLE, "queries": WHOLE, "errors": WHOLE, "in_flight": Maybe(WHOLE),
        },
    },
    "endpoint": {
        **COMMON, "endpoint": ENDPOINT, "series": {**SERIES, "rss_kb": [Maybe(NUMBER)]}, "heatmap": HEATMAP,
        "histogram": HISTOGRAM, "bands": dict.fromkeys(("fast", "typical", "slow"), BAND),
        "insights": [{**INSIGHT, "evidence": Maybe(Each(ANY))}],
        "hot_lines": [{
            **FRAME, "own_ms": NUMBER, "total_ms": NUMBER, "cpu_ms": Maybe(NUMBER), "share": NUMBER,
            "source": Maybe(TEXT),
            "changed": YES, "edited": YES,
        }],
        "source": [SOURCE],
        "statements": [{**STATEMENT, "runs_per_call": NUMBER, "share": NUMBER, "where": Maybe(PLACE)}],
        "traces": [ROW],
        "memory": {"exclusive": WHOLE, "mean_kb": Maybe(NUMBER), "p50_kb": Maybe(NUMBER),
        "max_kb": Maybe(NUMBER)},
        "profile_url": TEXT,
    },
}  # fmt: skip
