"""Why was this one request slow: everything that is kept of a transaction."""

from __future__ import annotations

import bisect
import json
from collections import Counter
from typing import Any, NamedTuple

from apm_agent.model.histogram import Histogram
from apm_agent.model.origin import Origin
from apm_agent.model.profile import STATES, UNCERTAIN, Frame, Stack
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.queries import detail, latency, names, phrases
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.profile import Profiled, Weighed
from apm_agent.queries.rollups import histograms
from apm_agent.queries.rows import COLUMNS, TABLES, listed
from apm_agent.queries.scope import scope_of
from apm_agent.queries.sourced import blocks
from apm_agent.queries.source import Sources
from apm_agent.queries.units import hex_id, kb, millis, ms
from apm_agent.queries.window import Window

#: Siblings alike fold into one row from this many on.
_FOLD = 3
#: Calls of the endpoint looked at on either side in time, for neighbours and the median.
_NEAR = 2500
_DAY = 86400

_MORE = ", p.python, p.server, p.app_root, p.environment, p.state"


class _Names(NamedTuple):
    frames: dict[int, Frame]
    statements: dict[int, str]
    stacks: dict[int, Stack]
    sources: Sources

    def where(self, frame_id: int | None) -> dict[str, Any] | None:
        """A place with the text of its line."""
        frame = self.frames.get(frame_id or 0)
        return {**(names.where(frame) or {}), "source": self.sources.line(frame).text} if frame else None


def trace(connection: Connection, number: int, window: Window | None = None) -> dict[str, Any] | None:
    """One transaction, its rank among the calls around it, and its detail; None when it is not in the store.

    It is ranked among the calls of `window` where that holds it, otherwise of the day before and after it.
    """
    row = connection.row(f"SELECT {COLUMNS}{_MORE} FROM {TABLES} WHERE x.id = ?", (number,))
    if row is None:
        return None
    around = _around(row[2] / 1e9, window)
    blob = connection.row("SELECT data FROM traces WHERE transaction_id = ?", (number,))
    document = detail.unpack(blob[0]) if blob else {}
    known = _names(connection, row, document)
    whole = latency.merged(histograms(connection, around.pieces(), None, row[1]).get(row[1], ()))
    return {
        "around": around,
        "trace": _head(connection, row, document, known, whole),
        "histogram": latency.bars(whole),
        "insights": _insights(document, known, row[3]),
        "spans": _spans(document, known),
        "lost": [
            {"kind": kind, "name": name, "count": count, "total_ms": millis(ns)}
            for kind, name, count, ns in document.get("lost") or ()
        ],
        "statements": _statements(document, known),
        **_samples(document, known, row[31]),
        "gc": [
            {"t_ms": millis(offset), "duration_ms": millis(ns), "generation": generation}
            for offset, ns, generation in document.get("gc") or ()
        ],
        "rss_curve": [[millis(offset), kb(size)] for offset, size in document.get("rss") or ()],
        "callgraph": _callgraph(document, row[29]),
        "source": blocks(_profiled(document, known), known.sources),
        **_neighbours(connection, row),
        "detail": blob is not None,
        "why_none": None if blob is not None else _why_none(row[22]),
    }


def _around(started: float, window: Window | None) -> Window:
    if window is not None and window.start <= started < window.end:
        return window
    return Window(int(started - _DAY) // 3600 * 3600, (int(started + _DAY) // 3600 + 1) * 3600, None, False)


def _names(connection: Connection, row: Row, document: dict[str, Any]) -> _Names:
    spans = document.get("spans") or ()
    insights = document.get("insights") or ()
    failure = document.get("failure") or {}
    frames = (
        {span[7] for span in spans}
        | {found.get("frame_id") for found in insights}
        | {failure.get("frame_id")}
    )
    texts = {span[6] for span in spans} | {found.get("statement_id") for found in insights}
    stacks = {sample[2] for sample in document.get("samples") or ()}
    stacks |= {weight[0] for weight in document.get("weights") or ()}
    return _Names(
        names.frames(connection, frames - {None}),
        names.statements(connection, texts - {None}),
        names.stacks(connection, stacks),
        Sources([row[29]] if row[29] else [], row[2] / 1e9),
    )


def _head(
    connection: Connection, row: Row, document: dict[str, Any], known: _Names, whole: Histogram
) -> dict[str, Any]:
    scope = scope_of(connection)
    endpoint = scope.endpoints.get(row[1])
    timed = endpoint is not None and endpoint.kind in TIMED_KINDS
    below = whole.share_below(row[3]) if timed else None
    p50, p95, p99 = latency.percentiles(whole) if timed else (None, None, None)
    before, after = row[12], row[13]
    return {
        **listed(row, scope.endpoints),
        "view": endpoint.view if endpoint and endpoint.view else None,
        "queue_ms": ms(row[10]),
        "first_byte_ms": ms(row[11]),
        "percentile": None if below is None else round(below * 100, 2),
        "endpoint_count": whole.count,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "rss": {
            "before_kb": kb(before),
            "after_kb": kb(after),
            "delta_kb": kb(after - before) if before is not None and after is not None else None,
            "overlap": row[14],
        },
        "context": document.get("context") or {},
        "error": _error(row, document, known),
        "python": row[27] or None,
        "worker": f"{row[24]}:{row[25]}" if row[24] else None,
        "server": row[28] or None,
    }


def _error(row: Row, document: dict[str, Any], known: _Names) -> dict[str, Any] | None:
    failure = document.get("failure")
    if failure:
        frame = known.frames.get(failure.get("frame_id") or 0)
        place = names.where(frame) or {"file": None, "line": None, "function": None}
        return {"type": failure.get("type") or "", "message": failure.get("message"), **place}
    if row[6]:
        kind, _, message = row[6].partition(": ")
        return {"type": kind, "message": message or None, "file": None, "line": None, "function": None}
    return None


def _insights(document: dict[str, Any], known: _Names, duration: int) -> list[dict[str, Any]]:
    made = []
    for found in document.get("insights") or ():
        statement = known.statements.get(found.get("statement_id") or 0)
        evidence = phrases.Evidence(
            kind=found["kind"],
            text=found.get("text") or "",
            count=found.get("count") or 1,
            cost_ns=found.get("cost_ns") or 0,
            cost_bytes=found.get("cost_bytes") or 0,
            share=min(1.0, (found.get("cost_ns") or 0) / duration) if duration else 0.0,
            where=known.frames.get(found.get("frame_id") or 0),
            statement=statement,
        )
        made.append(
            {
                "kind": evidence.kind,
                "title": phrases.title(evidence.kind),
                "why": phrases.why(evidence),
                "where": known.where(found.get("frame_id")),
                "count": 1,
                "of": 1,
                "cost_ms": millis(evidence.cost_ns),
                "total_ms": millis(evidence.cost_ns),
                "statement": {"id": str(found["statement_id"]), "text": statement} if statement else None,
                "fix": phrases.fix(evidence),
                "trace": None,
                "severity": phrases.severity(evidence),
            }
        )
    return sorted(made, key=lambda each: -each["cost_ms"])


def _spans(document: dict[str, Any], known: _Names) -> list[dict[str, Any]]:
    spans = document.get("spans") or ()
    keys = [f"{span[0]}:{span[1]}:{span[6] or span[2]}" for span in spans]
    often = Counter(keys)
    return [
        {
            "id": number,
            "parent": parent,
            "kind": kind,
            "name": name,
            "start_ms": millis(offset),
            "duration_ms": millis(duration),
            "self_ms": millis(own),
            "statement": {"id": str(statement)} if statement else None,
            "where": known.where(frame),
            "tags": tags or {},
            "repeats": keys[number] if often[keys[number]] >= _FOLD else None,
            "open": bool(never_closed),
        }
        for number, (
            parent,
            kind,
            name,
            offset,
            duration,
            own,
            statement,
            frame,
            tags,
            never_closed,
        ) in enumerate(spans)
    ]


def _statements(document: dict[str, Any], known: _Names) -> list[dict[str, Any]]:
    runs: dict[int, list[int]] = {}
    places: dict[int, Counter[int]] = {}
    for span in document.get("spans") or ():
        if span[6]:
            runs.setdefault(span[6], []).append(span[4])
            places.setdefault(span[6], Counter())[span[7] or 0] += span[4]
    made = [
        {
            "id": str(statement),
            "text": known.statements.get(statement, "(forgotten)"),
            "runs": len(durations),
            "total_ms": millis(sum(durations)),
            "mean_ms": millis(sum(durations) / len(durations)),
            "max_ms": millis(max(durations)),
            "where": known.where(places[statement].most_common(1)[0][0]),
        }
        for statement, durations in runs.items()
    ]
    return sorted(made, key=lambda each: -float(str(each["total_ms"])))


def _samples(document: dict[str, Any], known: _Names, state: str | None) -> dict[str, Any]:
    """Frames once, samples as indexes into them; samples past the limit have no time and are only summed."""
    index: dict[Frame, int] = {}
    chains: dict[int, list[int]] = {}
    for key, stack in known.stacks.items():
        chains[key] = [index.setdefault(frame, len(index)) for frame in stack]
    timed = document.get("samples") or []
    summed = document.get("weights") or []
    return {
        "frames": [
            {"function": frame.function, "file": frame.file, "line": frame.line, "category": frame.category}
            for frame in index
        ],
        "samples": [
            {
                "t_ms": millis(offset),
                "weight_ms": millis(weight),
                "stack": chains.get(stack, []),
                "state": STATES[sample_state] if 0 <= sample_state < len(STATES) else STATES[UNCERTAIN],
            }
            for offset, weight, stack, sample_state in timed
        ],
        "sampled": {
            "interval_ms": _interval(state),
            "count": len(timed),
            "sampled_ms": millis(sum(sample[1] for sample in timed) + sum(weight[2] for weight in summed)),
            "uncertain_ms": millis(
                sum(sample[1] for sample in timed if sample[3] == UNCERTAIN)
                + sum(weight[2] for weight in summed if weight[1] == UNCERTAIN)
            ),
            "lost": document.get("lost_samples") or 0,
        },
    }


def _interval(state: str | None) -> float | None:
    """What the process said its sampler's interval was."""
    try:
        said = json.loads(state or "{}")
        interval = said["sampler"]["interval_ms"]
    except (ValueError, KeyError, TypeError):
        return None
    return float(interval) if isinstance(interval, (int, float)) else None


def _profiled(document: dict[str, Any], known: _Names) -> Profiled:
    stacks = [
        Weighed(known.stacks.get(stack, ()), state, 1, weight)
        for _, weight, stack, state in document.get("samples") or ()
    ]
    stacks += [
        Weighed(known.stacks.get(stack, ()), state, 0, weight)
        for stack, state, weight in document.get("weights") or ()
    ]
    return Profiled(stacks, 1)


def _callgraph(document: dict[str, Any], root: str | None) -> dict[str, Any] | None:
    graph = document.get("callgraph")
    if not graph:
        return None
    origin = Origin(root or "")
    functions = [
        {
            "function": function,
            "file": origin.short(path) if path not in ("~", "") else "",
            "line": line,
            "category": origin.of(path) if path not in ("~", "") else "std",
            "calls": calls,
            "own_ms": millis(own),
            "total_ms": millis(total),
        }
        for path, line, function, _primitive, calls, own, total in graph.get("functions") or ()
    ]
    functions.sort(key=lambda each: -float(each["own_ms"]))
    return {"functions": functions, "note": "measured with cProfile: times are inflated"}


def _neighbours(connection: Connection, row: Row) -> dict[str, str | None]:
    """The next slower, the next faster and the median of the kept calls near in time."""
    number, endpoint, started, duration = row[0], row[1], row[2], row[3]
    near: list[tuple[int, int, str | None]] = []
    for side, order in (("<=", "DESC"), (">", "ASC")):
        near += connection.rows(
            "SELECT duration_ns, id, kept FROM transactions WHERE endpoint_id = ?"
            f" AND started_at {side} ? ORDER BY started_at {order} LIMIT ?",
            (endpoint, started, _NEAR),
        )
    kept = sorted((ns, key) for ns, key, why in near if why is not None)
    middle = sorted(ns for ns, _, _ in near)[len(near) // 2] if near else 0
    after = bisect.bisect_right(kept, (duration, number))
    before = bisect.bisect_left(kept, (duration, number))
    median = min(kept, key=lambda each: abs(each[0] - middle), default=None)
    return {
        "previous": hex_id(kept[after][1]) if after < len(kept) else None,
        "next": hex_id(kept[before - 1][1]) if before else None,
        "median": hex_id(median[1]) if median else None,
    }


def _why_none(kept: str | None) -> str:
    if kept is None:
        return (
            "not kept: it was neither slow nor failed, nothing was found in it, and the uniform share of this "
            "second was taken; its figures are counted all the same"
        )
    return "no longer kept: the store's size limit made room"
