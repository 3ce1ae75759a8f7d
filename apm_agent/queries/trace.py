"""Why was this one request slow: everything that is kept of a transaction."""

from __future__ import annotations

import bisect
from typing import Any

from apm_agent.errors import StoreError
from apm_agent.model.histogram import Histogram
from apm_agent.model.transaction import TIMED_KINDS
from apm_agent.queries import captured, detail, latency, names, written
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.damage import MEETING_IT
from apm_agent.queries.rollups import NOTHING, measure
from apm_agent.queries.rows import COLUMNS, TABLES, listed
from apm_agent.queries.scope import scope_of
from apm_agent.queries.shape import unsound
from apm_agent.queries.sourced import blocks
from apm_agent.queries.units import hex_id, kb, millis, ms
from apm_agent.queries.window import Window

#: Calls of the endpoint looked at on either side in time, for neighbours and the median.
_NEAR = 2500
_DAY = 86400

_MORE = ", p.python, p.server, p.app_root, p.environment, p.state, x.share"


def trace(connection: Connection, number: int, window: Window | None = None) -> dict[str, Any] | None:
    """One transaction, its rank among the calls around it, and its detail; None when it is not in the store.

    It is ranked among the calls of `window` where that holds it, otherwise of the day before and after it.
    """
    row = connection.row(f"SELECT {COLUMNS}{_MORE} FROM {TABLES} WHERE x.id = ?", (number,))
    if row is None:
        return None
    around = _around(row[2] / 1e9, window)
    blob = connection.row("SELECT data FROM traces WHERE transaction_id = ?", (number,))
    document, trouble = _document(blob)
    try:
        return _told(connection, row, around, document, trouble)
    except MEETING_IT:
        part = unsound(document)
        if not part:
            raise
        return _told(connection, row, around, {}, f"the detail of this transaction is damaged: its {part}")


def _told(
    connection: Connection, row: Row, around: Window, document: dict[str, Any], trouble: str | None
) -> dict[str, Any]:
    known = written.known_names(connection, row, document)
    whole = measure(connection, around, None, row[1]).get(row[1], NOTHING).histogram
    return {
        "around": around,
        "trace": _head(connection, row, document, known, whole),
        "histogram": latency.bars(whole),
        "insights": written.insights(document, known, row[3]),
        "spans": written.spans(document, known),
        "lost": [
            {"kind": kind, "name": name, "count": count, "total_ms": millis(ns)}
            for kind, name, count, ns in document.get("lost") or ()
        ],
        "statements": written.statements(document, known),
        **written.samples(document, known, row[31]),
        "blocked_by": written.blocked_by(document, known),
        "blocking": written.blocking(document),
        "gc": [
            {"t_ms": millis(offset), "duration_ms": millis(ns), "generation": generation}
            for offset, ns, generation in document.get("gc") or ()
        ],
        "rss_curve": [[millis(offset), kb(size)] for offset, size in document.get("rss") or ()],
        "log": [
            {"t_ms": millis(offset), "level": level, "logger": logger, "text": text}
            for offset, level, logger, text in document.get("log") or ()
        ],
        "callgraph": written.callgraph(document, row[29]),
        "captured": captured.captured(document),
        "lines": captured.lines(document, known.sources, row[29]),
        "memory_capture": captured.memory(document, known.sources, row[29], row[14]),
        "source": blocks(written.profiled(document, known), known.sources),
        **_neighbours(connection, row),
        "detail": bool(document),
        "why_none": None if document else trouble or _why_none(row[22]),
    }


def _document(blob: Row | None) -> tuple[dict[str, Any], str | None]:
    """The detail, or what is wrong with it: the row's own figures are shown all the same."""
    if blob is None:
        return {}, None
    try:
        return detail.unpack(blob[0]), None
    except StoreError as error:
        return {}, str(error)


def _around(started: float, window: Window | None) -> Window:
    if window is not None and window.start <= started < window.end:
        return window
    return Window(int(started - _DAY) // 3600 * 3600, (int(started + _DAY) // 3600 + 1) * 3600, None, False)


def _head(
    connection: Connection, row: Row, document: dict[str, Any], known: written.Names, whole: Histogram
) -> dict[str, Any]:
    scope = scope_of(connection)
    endpoint = scope.endpoints.get(row[1])
    timed = endpoint is not None and endpoint.kind in TIMED_KINDS
    below = whole.share_below(row[3]) if timed else None
    p50, p95, p99 = latency.percentiles(whole) if timed else (None, None, None)
    before, after = row[12], row[13]
    sizes = [size for _, size in document.get("rss") or ()]
    return {
        **listed(row, scope.endpoints),
        "view": endpoint.view if endpoint and endpoint.view else None,
        "queue_ms": ms(row[10]),
        "first_byte_ms": ms(row[11]),
        "kept_share": round(row[32], 6),
        "percentile": None if below is None else round(below * 100, 2),
        "endpoint_count": whole.count,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "rss": {
            "before_kb": kb(before),
            "after_kb": kb(after),
            "delta_kb": kb(after - before) if before is not None and after is not None else None,
            "peak_kb": kb(max((size for size in (*sizes, before, after) if size is not None), default=None)),
            "overlap": row[14],
        },
        "context": document.get("context") or {},
        "error": _error(row, document, known),
        "python": row[27] or None,
        "worker": f"{row[24]}:{row[25]}" if row[24] else None,
        "server": row[28] or None,
    }


def _error(row: Row, document: dict[str, Any], known: written.Names) -> dict[str, Any] | None:
    failure = document.get("failure")
    if failure:
        frame = known.frames.get(failure.get("frame_id") or 0)
        place = names.where(frame) or {"file": None, "line": None, "function": None}
        return {"type": failure.get("type") or "", "message": failure.get("message"), **place}
    if row[6]:
        kind, _, message = row[6].partition(": ")
        return {"type": kind, "message": message or None, "file": None, "line": None, "function": None}
    return None


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
            "not kept: it was neither slow nor failed, nothing was found in it, and the uniform share of "
            "this "
            "second was taken; its figures are counted all the same"
        )
    return "no longer kept: the store's size limit made room"
