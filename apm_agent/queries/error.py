"""One error: the stack it was raised in, its messages, where and when it happens, what its transactions share."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from apm_agent.errors import QuestionError, StoreError
from apm_agent.model.profile import Frame
from apm_agent.queries import detail, names
from apm_agent.queries.attributes import COLUMNS as ATTRIBUTES
from apm_agent.queries.attributes import catalogue_of, values_of
from apm_agent.queries.cells import grid_of
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.errors import row
from apm_agent.queries.failures import MOST, Failure, failures
from apm_agent.queries.rollups import totals
from apm_agent.queries.rows import COLUMNS, TABLES, listed
from apm_agent.queries.scope import Scope, scope_of
from apm_agent.queries.significance import more_often
from apm_agent.queries.source import Sources
from apm_agent.queries.units import hex_id, millis
from apm_agent.queries.window import Window

_POINTS = 60
_MOST_TRACES, _MOST_MESSAGES, _MOST_LOG = 20, 10, 8
#: Transactions compared: those that failed so, and others of the same endpoints and time.
_MOST_INSIDE, _MOST_OUTSIDE, _MOST_ENDPOINTS = 500, 2000, 20
_SLICES = 100
#: Values told; a share must be larger by so much, and of one attribute at most so many.
_MOST_SHARED, _LARGER, _EACH = 8, 0.1, 2
_SURE, _THIN = 1e-4, 20
#: What makes them a group is no news, and what is another one of each job says nothing.
_ITSELF = frozenset({"error", "context job", "context enqueued_by", "context traceparent"})


def error(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    kind: str,
    frame: str = "",
    service: str = "",
    release: str = "",
) -> dict[str, Any] | None:
    """The failures of one type at one line; None when there are none among those looked at."""
    wanted = (kind, parse_frame(frame))
    scope = scope_of(connection, service, release)
    seen = failures(connection, window, scope.releases)
    group = [each for each in seen if each.key == wanted and each.endpoint in scope.endpoints]
    if not group:
        return None
    kept = [each for each in group if each.kept]
    document, of = _document(connection, kept)
    numbers = [each.transaction for each in group]
    rows = _rows(connection, COLUMNS, TABLES, numbers[:_MOST_TRACES])
    frames = names.frames(connection, {wanted[1] or 0})
    return {
        "error": row(window, scope, group, frames),
        "stack": _stack(connection, document, of, window),
        "messages": [
            {"message": message, "count": count}
            for message, count in Counter(each.message for each in group if each.message).most_common(
                _MOST_MESSAGES
            )
        ],
        "series": _series(window, group),
        "shared": _shared(
            connection, window, scope, group, seen[-1].started if len(seen) >= MOST else window.start_ns
        ),
        "traces": [listed(each, scope.endpoints) for each in rows],
        "log": [
            {"t_ms": millis(offset), "level": level, "logger": logger, "text": text}
            for offset, level, logger, text in (document.get("log") or ())[-_MOST_LOG:]
        ],
        "of": hex_id(of) if of is not None else None,
    }


def parse_frame(text: str) -> int | None:
    """The id of a frame as the list gives it; empty means none is known."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= 1 << 63:
        raise QuestionError(f"frame={text[:40]!r} is not the id of a frame: up to 19 digits")
    return int(text)


def _document(connection: Connection, kept: list[Failure]) -> tuple[dict[str, Any], int | None]:
    """The detail of the newest one that can be read, preferably with the stack."""
    other: tuple[dict[str, Any], int | None] = ({}, None)
    for each in kept[:5]:
        blob = connection.row("SELECT data FROM traces WHERE transaction_id = ?", (each.transaction,))
        try:
            document = detail.unpack(blob[0]) if blob else {}
        except StoreError:
            continue
        if (document.get("failure") or {}).get("stack"):
            return document, each.transaction
        if document and other[1] is None:
            other = document, each.transaction
    return other


def _rows(connection: Connection, columns: str, tables: str, numbers: list[int]) -> list[Row]:
    if not numbers:
        return []
    return connection.rows(
        f"SELECT {columns} FROM {tables} WHERE x.id IN ({', '.join('?' * len(numbers))})"
        " ORDER BY x.started_at DESC",
        numbers,
    )


def _stack(
    connection: Connection, document: dict[str, Any], of: int | None, window: Window
) -> list[dict[str, Any]]:
    """Outermost first, own code with the lines around where the file is still what ran."""
    failure = document.get("failure") or {}
    ids = failure.get("stack") or [each for each in (failure.get("frame_id"),) if each]
    frames = names.frames(connection, ids)
    sources = _sources(connection, of, window)
    return [
        _framed(frame, sources)
        for each in ids
        if (frame := frames.get(each, names.UNKNOWN)).category != "agent"
    ]


def _framed(frame: Frame, sources: Sources) -> dict[str, Any]:
    line = sources.line(frame)
    return {
        "function": frame.function,
        "file": frame.file,
        "line": frame.line,
        "category": frame.category,
        "source": line.text,
        "changed": line.changed,
        "lines": [{"number": number, "text": text} for number, text in sources.block(frame)],
    }


def _sources(connection: Connection, of: int | None, window: Window) -> Sources:
    found = connection.row(
        "SELECT p.app_root, x.started_at FROM transactions x JOIN processes p ON p.id = x.process_id WHERE x.id = ?",
        (of or 0,),
    )
    return Sources([found[0]], found[1] / 1e9) if found and found[0] else Sources([], float(window.start))


def _series(window: Window, group: list[Failure]) -> dict[str, Any]:
    grid = grid_of(window, _POINTS)
    counts = [0] * grid.cells
    for each in group:
        at = (each.started // 10**9 - grid.first) // grid.step
        counts[max(0, min(grid.cells - 1, at))] += 1
    return {"t": grid.starts, "step": grid.step, "count": counts}


def _shared(
    connection: Connection, window: Window, scope: Scope, group: list[Failure], since: int
) -> dict[str, Any]:
    """What these have in common that other transactions of the same endpoints have not."""
    known = catalogue_of(connection, scope.endpoints)
    every = -(-len(group) // _MOST_INSIDE)
    inside = _rows(connection, ATTRIBUTES, "transactions x", [each.transaction for each in group[::every]])
    outside = _others(connection, window, scope, group, since)
    here, there = (
        Counter(value for each in rows for value in set(values_of(each, known)) if value[0] not in _ITSELF)
        for rows in (inside, outside)
    )
    ranked = sorted(
        ((count / len(inside) - there[value] / max(1, len(outside)), value) for value, count in here.items()),
        key=lambda each: (-each[0], each[1]),
    )
    made: list[dict[str, Any]] = []
    often: Counter[str] = Counter()
    for larger, (attribute, value) in ranked:
        if larger < _LARGER or len(made) == _MOST_SHARED:
            break
        if here[attribute, value] == 1 < len(inside) or value == "failed":
            continue
        often[attribute] += 1
        if often[attribute] > _EACH:
            continue
        counts = here[attribute, value], there[attribute, value]
        endpoint = known.endpoints.get(value) if attribute == "endpoint" else None
        made.append(
            {
                "attribute": attribute,
                "value": endpoint.name if endpoint else value,
                "inside": round(counts[0] / len(inside), 6),
                "outside": round(counts[1] / len(outside), 6) if outside else None,
                "inside_count": counts[0],
                "outside_count": counts[1],
                "sure": more_often(counts[0], len(inside), counts[1], len(outside)) < _SURE,
            }
        )
    return {
        "values": made,
        "inside": len(inside),
        "outside": len(outside),
        "thin": min(len(inside), len(outside)) < _THIN,
    }


def _others(
    connection: Connection, window: Window, scope: Scope, group: list[Failure], since: int
) -> list[Row]:
    """Transactions of the same endpoints, and of the same time (`since` then), that did not fail so.

    Of very many the first part of each of a hundred equal slices of that time: what is told of releases or hosts
    must not come of looking at another time.
    """
    mine = {each.transaction for each in group}
    endpoints = [
        endpoint for endpoint, _ in Counter(each.endpoint for each in group).most_common(_MOST_ENDPOINTS)
    ]
    only = "" if scope.releases is None else f" AND x.release_id IN ({', '.join('?' * len(scope.releases))})"
    end = min(window.end_ns, time.time_ns() + 10**9)
    counted = totals(connection, window.pieces(), scope.releases)
    calls = sum(counted[endpoint].count for endpoint in endpoints if endpoint in counted)
    slices = _SLICES if calls > _MOST_OUTSIDE else 1
    every = max(1, -(-(end - since) // slices))
    length = max(1, round(every * min(1, _MOST_OUTSIDE / max(1, calls))))
    found: list[Row] = []
    for endpoint in endpoints:
        found += connection.rows(
            "WITH RECURSIVE slices (at) AS (VALUES (?) UNION ALL SELECT at + ? FROM slices WHERE at + ? < ?)"
            f" SELECT {ATTRIBUTES} FROM slices CROSS JOIN transactions x"
            f" WHERE x.endpoint_id = ? AND x.started_at >= at AND x.started_at < at + ?{only} LIMIT ?",
            (since, every, every, end, endpoint, length, *(scope.releases or ()), 5 * _MOST_OUTSIDE),
        )
    return [row for row in found if row[0] not in mine]
