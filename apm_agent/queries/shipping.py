"""Finished transactions with their spans, oldest first, for whoever takes them elsewhere."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any

from apm_agent.errors import StoreError
from apm_agent.model.profile import Frame
from apm_agent.model.shipment import Origin, Shipped, ShippedSpan
from apm_agent.queries import detail, names
from apm_agent.queries.connection import Connection, Row

#: A transaction is written when it ends and sorted by its start: so much earlier it may have begun, in ns.
LONGEST_NS = 3600 * 10**9

_SQL = (
    "SELECT x.id, x.started_at, x.duration_ns, x.status, x.failed, x.error, x.method, x.path, x.cpu_ns, x.queue_ns,"
    " x.context, e.service, e.kind, e.name, e.view, p.environment, r.version, p.host, p.pid, p.python, t.data"
    " FROM transactions x JOIN endpoints e ON e.id = x.endpoint_id"
    " LEFT JOIN processes p ON p.id = x.process_id LEFT JOIN releases r ON r.id = x.release_id"
    " LEFT JOIN traces t ON t.transaction_id = x.id"
)


def waiting(connection: Connection, since_ns: int, shipped: Container[int], limit: int) -> list[int]:
    """Ids of what ended since then and has not been shipped, oldest first."""
    rows = connection.rows(
        "SELECT id FROM transactions WHERE started_at >= ? AND started_at + duration_ns >= ? ORDER BY started_at",
        (max(0, since_ns - LONGEST_NS), since_ns),
    )
    return [row[0] for row in rows if row[0] not in shipped][:limit]


def load(connection: Connection, ids: list[int]) -> list[Shipped]:
    """These transactions, whole."""
    if not ids:
        return []
    rows = connection.rows(f"{_SQL} WHERE x.id IN ({', '.join('?' * len(ids))}) ORDER BY x.started_at", ids)
    documents = [_document(row[20]) for row in rows]
    spans = [span for document in documents for span in document.get("spans") or ()]
    failures = [document.get("failure") or {} for document in documents]
    places = [span[7] for span in spans] + [each.get("frame_id") for each in failures]
    frames = names.frames(connection, {place for place in places if place})
    statements = names.statements(connection, {span[6] for span in spans if span[6]})
    return [
        _shipped(row, document, frames, statements) for row, document in zip(rows, documents, strict=True)
    ]


def _document(data: bytes | None) -> dict[str, Any]:
    if data is None:
        return {}
    try:
        return detail.unpack(data)
    except StoreError:
        return {}  # its figures are shipped all the same


def _shipped(
    row: Row, document: dict[str, Any], frames: dict[int, Frame], statements: dict[int, str]
) -> Shipped:
    number, started, duration, status, failed, error, method, path, cpu, queue, context = row[:11]
    service, kind, name, view, environment, release, host, pid, python = row[11:20]
    failure = document.get("failure") or {}
    return Shipped(
        id=number,
        origin=Origin(service, environment or "", release or "", host or "", pid or 0, python or ""),
        kind=kind,
        name=name,
        view=view,
        started_ns=started,
        duration_ns=duration,
        method=method,
        path=path,
        status=status,
        failed=bool(failed),
        error=_error(error, failure),
        where=frames.get(failure.get("frame_id") or 0),
        queue_ns=queue,
        cpu_ns=cpu,
        context=document.get("context") or _context(context),
        spans=[
            ShippedSpan(
                span[0], span[1], span[2], span[3], span[4], statements.get(span[6] or 0), frames.get(span[7] or 0),
                span[8] or {},
            )
            for span in document.get("spans") or ()
        ],
    )  # fmt: skip


def _error(text: str | None, failure: dict[str, Any]) -> tuple[str, str] | None:
    if failure:
        return failure.get("type") or "", failure.get("message") or ""
    if not text:
        return None
    kind, _, message = text.partition(": ")
    return kind, message


def _context(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
