"""What is answered about single transactions, and about what is in flight."""

from __future__ import annotations

from apm_agent.web.answers.parts import (
    COMMON,
    FRAME,
    HISTOGRAM,
    INSIGHT,
    MEMORY,
    PLACED,
    ROW,
    SOURCE,
    SOURCED,
    STACKED,
    STATEMENT,
)
from apm_agent.web.shapes import ANY, NUMBER, TEXT, WHOLE, YES, Each, Maybe, Shape

PROFILE = {
    "frames": {"function": [TEXT], "file": [TEXT], "line": [WHOLE], "category": [TEXT]},
    "nodes": {
        "parent": [WHOLE], "frame": [WHOLE], "total_ns": [WHOLE], "own_ns": [WHOLE], "samples": [WHOLE],
    },
    "total_ns": WHOLE, "count": WHOLE, "transactions": WHOLE, "pruned_ns": WHOLE, "clock": TEXT,
    "unclocked_ns": WHOLE,
}  # fmt: skip

ANSWERS: dict[str, Shape] = {
    "traces": {
        **COMMON, "traces": [ROW], "cursor": Maybe(TEXT),
        "searched": Maybe({"looked_at": WHOLE, "of": WHOLE, "since": NUMBER}),
    },
    "trace": {
        **COMMON,
        "trace": {
            **ROW, "view": Maybe(TEXT), "queue_ms": Maybe(NUMBER), "first_byte_ms": Maybe(NUMBER),
            "kept_share": NUMBER, "percentile": Maybe(NUMBER), "endpoint_count": WHOLE, "p50_ms": Maybe(NUMBER),
            "p95_ms": Maybe(NUMBER),
            "p99_ms": Maybe(NUMBER),
            "rss": {
                "before_kb": Maybe(NUMBER), "after_kb": Maybe(NUMBER), "delta_kb": Maybe(NUMBER),
                "peak_kb": Maybe(NUMBER),
                "overlap": WHOLE,
            },
            "context": Each(ANY),
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
            "tags": Each(ANY),
            "repeats": Maybe(TEXT), "open": YES,
            **dict.fromkeys(("first_row_ms", "fetch_ms", "first_message_ms"), Maybe(NUMBER)),
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
    "bytecode": {
        **COMMON, "file": TEXT, "function": TEXT, "python": TEXT, "ran_on": Maybe(TEXT),
        "lines": [{"line": WHOLE, "instructions": [[ANY]]}],
    },
    "blame": {
        **COMMON, "file": TEXT, "line": WHOLE, "why_none": Maybe(TEXT),
        "blame": Maybe({"commit": TEXT, "author": TEXT, "at": Maybe(WHOLE), "subject": TEXT, "boundary": YES}),
    },
    "profile": {**COMMON, **PROFILE},
    "live": {
        **COMMON, "asked_until": Maybe(NUMBER),
        "recent": {"minutes": NUMBER, "count": WHOLE, "errors": WHOLE, "per_min": NUMBER},
        "capture": Maybe({
            "id": TEXT, "asked_at": Maybe(NUMBER), "seconds": Maybe(NUMBER), "done": YES, "profile": Maybe(PROFILE),
            "processes": [{
                "host": TEXT, "pid": WHOLE, "service": TEXT, "done": YES, "samples": WHOLE, "sampled_ms": NUMBER,
            }],
        }),
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
}  # fmt: skip
