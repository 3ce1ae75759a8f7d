"""What the questions of the Memory page answer, and those of measuring on demand."""

from __future__ import annotations

from apm_agent.web.answers.parts import COMMON, FRAME, MEMORY, PLACE, PLACED
from apm_agent.web.shapes import NUMBER, TEXT, WHOLE, YES, Each, Maybe, Shape

_NAMED = {"name": TEXT, "kind": TEXT, "service": TEXT}
_COUNTED = {**PLACED, "kb": NUMBER, "blocks": WHOLE, "transactions": WHOLE}

ANSWERS: dict[str, Shape] = {
    "memory": {
        **COMMON,
        "endpoints": [{
            **_NAMED, "exclusive": WHOLE, "counted": WHOLE, "overlapped": WHOLE,
            "mean_kb": Maybe(NUMBER), "p50_kb": Maybe(NUMBER), "p95_kb": Maybe(NUMBER), "total_kb": Maybe(NUMBER),
            "slope_kb": Maybe(NUMBER), "slope_low_kb": Maybe(NUMBER), "slope_high_kb": Maybe(NUMBER),
            "p_value": Maybe(NUMBER), "verdict": TEXT,
        }],
        "total": {"endpoint_count": WHOLE, "calls": WHOLE, "exclusive": WHOLE},
        "step": WHOLE, "t": [WHOLE],
        "workers": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "release": Maybe(TEXT), "started": NUMBER,
            "last_seen": NUMBER, "silent": YES, "rss_kb": Maybe(NUMBER), "peak_kb": Maybe(NUMBER),
            "growth_kb": Maybe(NUMBER), "sizes_kb": [Maybe(NUMBER)],
        }],
        "left_out": WHOLE,
        "restarts": [{
            "t": NUMBER, "host": TEXT, "pid": WHOLE, "service": TEXT, "release": Maybe(TEXT),
            "before": Maybe(WHOLE), "before_kb": Maybe(NUMBER), "why": TEXT,
        }],
        "releases": [{"t": NUMBER, "version": TEXT, "service": TEXT}],
        "gc": {
            "total_ms": NUMBER, "of_all_time": NUMBER, "calls": WHOLE, "paused": WHOLE, "pauses": WHOLE,
            "looked_into": WHOLE, "at_most_ms": Maybe(NUMBER), "method": TEXT,
            "longest": Maybe({"ms": NUMBER, "generation": WHOLE, "trace": TEXT, "name": TEXT}),
            "endpoints": [{
                **_NAMED, "total_ms": NUMBER, "share": NUMBER, "of_its_time": NUMBER, "calls": WHOLE, "paused": WHOLE,
                "most_ms": Maybe(NUMBER), "pauses": WHOLE, "looked_into": WHOLE,
            }],
        },
        "method": TEXT, "more": YES,
    },
    "arms": {**COMMON, "arms": [{
        "id": TEXT, "endpoint": TEXT, "service": Maybe(TEXT), "capture": TEXT, "count": WHOLE, "done": WHOLE,
        "state": TEXT, "created": NUMBER, "until": NUMBER, "functions": [PLACE], "unmeasured": Each(WHOLE),
        "workers": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "last_seen": NUMBER, "live": YES, "kept": WHOLE,
            "unmeasured": Each(WHOLE),
        }],
        "unheard": WHOLE,
    }]},
    "captures": {
        **COMMON,
        "captures": [{
            **_NAMED, "id": TEXT, "t": NUMBER, "capture": TEXT, "arm": Maybe(TEXT), "duration_ms": NUMBER,
            "rss_kb": Maybe(NUMBER), "kept_kb": Maybe(NUMBER), "overlap": WHOLE, "host": TEXT, "pid": WHOLE,
            "release": Maybe(TEXT),
        }],
        "callgraph": Maybe({
            "transactions": WHOLE, "left_out": WHOLE, "note": TEXT, "calls": [[NUMBER]],
            "functions": [{**FRAME, "calls": WHOLE, "own_ms": NUMBER, "total_ms": NUMBER}],
        }),
        "lines": Maybe({
            "transactions": WHOLE,
            "functions": [{
                **PLACED, "function": TEXT, "total_ms": NUMBER,
                "lines": [{"number": WHOLE, "text": Maybe(TEXT), "hits": WHOLE, "ms": NUMBER}],
            }],
        }),
        "memory": Maybe({
            **MEMORY, "transactions": WHOLE, "shared": WHOLE, "lines": [_COUNTED],
            "types": [{"type": TEXT, "count": WHOLE, "where": Maybe(PLACED), "transactions": WHOLE}],
        }),
        "more": YES,
    },
}  # fmt: skip
