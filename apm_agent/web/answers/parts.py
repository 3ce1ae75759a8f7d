"""What several answers have in common."""

from __future__ import annotations

from apm_agent.model.record import KEPT, TIME_KINDS
from apm_agent.model.transaction import KINDS as TRANSACTION_KINDS
from apm_agent.web.shapes import NUMBER, TEXT, WHOLE, YES, Maybe, One

KINDS = dict.fromkeys(TIME_KINDS, NUMBER)
PLACE = {"file": TEXT, "line": WHOLE, "function": TEXT}
SOURCED = {**PLACE, "source": Maybe(TEXT), "changed": YES}
COMMON = {
    "window": Maybe({"from": NUMBER, "to": NUMBER, "range": Maybe(TEXT)}),
    "store": {"written_at": Maybe(NUMBER), "stale": YES, "partial": Maybe(TEXT)},
}
#: Of a transaction and its endpoint.
KIND = One(*TRANSACTION_KINDS)
ENDPOINT = {
    "name": TEXT, "kind": KIND, "service": TEXT, "method": Maybe(TEXT), "route": Maybe(TEXT),
    "view": Maybe(TEXT),
    "count": WHOLE, "share": NUMBER, "total_ms": NUMBER, "mean_ms": Maybe(NUMBER), "p50_ms": Maybe(NUMBER),
    "p95_ms": Maybe(NUMBER), "p99_ms": Maybe(NUMBER), "max_ms": Maybe(NUMBER), "errors": WHOLE,
    "queries_per_call": Maybe(NUMBER), "rss_kb": Maybe(NUMBER), "rss_calls": WHOLE, "cpu_ms": Maybe(NUMBER),
    "queue_ms": Maybe(NUMBER), "per_min": NUMBER, "kinds": KINDS, "p95_change": Maybe(NUMBER),
    "spark": [Maybe(NUMBER)], "flags": [TEXT], "why": Maybe(TEXT), "where": Maybe(TEXT),
}  # fmt: skip
ROW = {
    "id": TEXT, "t": NUMBER, "name": TEXT, "kind": KIND, "service": TEXT, "method": Maybe(TEXT),
    "route": Maybe(TEXT),
    "path": Maybe(TEXT), "duration_ms": NUMBER, "status": Maybe(WHOLE), "failed": YES, "error": Maybe(TEXT),
    "kinds": KINDS, "queries": WHOLE, "cpu_ms": Maybe(NUMBER), "rss_kb": Maybe(NUMBER), "rss_shared": YES,
    "release": Maybe(TEXT), "host": TEXT, "pid": WHOLE, "kept": Maybe(One(*KEPT)), "has_detail": YES,
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
    "trace": Maybe(TEXT), "severity": One("bad", "warn", "info"),
}  # fmt: skip
SOURCE = {
    "file": TEXT, "function": TEXT, "edited": YES,
    "lines": [{"number": WHOLE, "text": TEXT, "own_ms": NUMBER, "total_ms": NUMBER}],
}  # fmt: skip
STATEMENT = {
    "id": TEXT, "text": TEXT, "runs": WHOLE, "total_ms": NUMBER, "mean_ms": NUMBER, "max_ms": NUMBER,
}  # fmt: skip
FIGURE = {"value": Maybe(NUMBER), "previous": Maybe(NUMBER), "spark": [Maybe(NUMBER)]}
BAND = {"count": WHOLE, "mean_ms": Maybe(NUMBER), "kinds": KINDS}
FRAME = {**PLACE, "category": TEXT}
SIDE = {
    "label": TEXT, "from": NUMBER, "to": NUMBER, "transaction": Maybe(TEXT), "count": WHOLE,
    "release": Maybe(TEXT), "trace": Maybe(ROW), "seen": Maybe({"from": NUMBER, "to": NUMBER}),
    "profiled": Maybe({"from": NUMBER, "to": NUMBER}),
    "endpoint": Maybe({
        "name": TEXT, "kind": TEXT, "service": TEXT, "method": Maybe(TEXT), "route": Maybe(TEXT),
    }),
}  # fmt: skip
FIGURES = (
    "count", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "error_rate", "queries_per_call", "cpu_ms", "rss_kb",
)  # fmt: skip
TOOK = {"own_ms": NUMBER, "total_ms": NUMBER, "own_samples": WHOLE, "total_samples": WHOLE}
RAN = {"runs": WHOLE, "runs_per_call": NUMBER, "ms_per_call": NUMBER, "mean_ms": Maybe(NUMBER)}
STACKED = {"thread": TEXT, "task": Maybe(TEXT), "stack_state": TEXT, "stack": [FRAME], "cut": WHOLE}
PLACED = {"file": TEXT, "line": WHOLE, "category": TEXT, "source": Maybe(TEXT), "changed": YES}
MEMORY = {
    "kept_kb": NUMBER, "peak_kb": Maybe(NUMBER), "objects": WHOLE, "took_ms": NUMBER, "overlap": WHOLE,
    "exclusive": YES, "note": TEXT, "lines": [{**PLACED, "kb": NUMBER, "blocks": WHOLE}],
    "types": [{"type": TEXT, "count": WHOLE, "where": Maybe(PLACED)}],
    "holders": [{"type": TEXT, "held_by": [{"what": TEXT, "count": WHOLE}]}],
}  # fmt: skip
QUERY = {
    "id": TEXT, "text": TEXT, "summary": TEXT, "runs": WHOLE, "per_min": NUMBER, "runs_per_call": NUMBER,
    "total_ms": NUMBER, "mean_ms": NUMBER, "max_ms": NUMBER, "share": NUMBER, "endpoint_count": WHOLE,
    "p95_ms": Maybe(NUMBER), "p95_runs": WHOLE, "rows": Maybe(NUMBER), "rows_runs": WHOLE,
    "endpoint_share": Maybe(NUMBER), "slow_share": NUMBER,
    "endpoints": [{"name": TEXT, "kind": TEXT, "service": TEXT}], "where": [PLACE], "places": WHOLE, "flags": [TEXT],
}  # fmt: skip
PLAN = {
    "id": TEXT, "release": Maybe(TEXT), "database": TEXT, "at": NUMBER, "server": TEXT, "note": TEXT,
    "steps": [{
        "depth": WHOLE, "text": TEXT, "details": [TEXT], "rows": Maybe(NUMBER), "cost": Maybe(NUMBER), "scan": YES,
    }],
    "before": Maybe({"release": Maybe(TEXT), "at": NUMBER, "changed": YES, "gone": [TEXT], "new": [TEXT]}),
}  # fmt: skip
ERROR = {"error": {"code": TEXT, "message": TEXT}}
