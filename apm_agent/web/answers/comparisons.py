"""What is answered when two sides are compared."""

from __future__ import annotations

from apm_agent.web.answers.parts import COMMON, FIGURES, FRAME, PLACE, RAN, SIDE, TOOK
from apm_agent.web.shapes import NUMBER, TEXT, WHOLE, YES, Maybe, Shape

ANSWERS: dict[str, Shape] = {
    "compare": {
        **COMMON, "a": SIDE, "b": SIDE, "thin": YES, "why_thin": Maybe(TEXT),
        "kpi": {name: {
            **dict.fromkeys(("before", "after", "change", "sureness"), Maybe(NUMBER)), "significant": YES,
        } for name in FIGURES},
        "kinds": [{
            "kind": TEXT, **dict.fromkeys(("before_ms", "after_ms", "change_ms"), Maybe(NUMBER)),
            "before_spans": Maybe(WHOLE), "after_spans": Maybe(WHOLE),
        }],
        "histogram": {"edges_ms": [NUMBER], "before": [WHOLE], "after": [WHOLE]},
        "functions": [{
            **FRAME, "before": TOOK, "after": TOOK,
            "own_change_ms": NUMBER, "total_change_ms": NUMBER, "own_sureness": Maybe(NUMBER),
            "total_sureness": Maybe(NUMBER), "significant": YES,
        }],
        "statements": [{
            "id": Maybe(TEXT), "text": TEXT, "status": TEXT, "change_ms": NUMBER, "where": Maybe(PLACE),
            "before": RAN, "after": RAN,
        }],
        "endpoints": [{
            "name": TEXT, "kind": TEXT, "service": TEXT, "method": Maybe(TEXT), "route": Maybe(TEXT),
            "status": TEXT, "change_ms": Maybe(NUMBER),
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
}  # fmt: skip
