"""What failed, grouped by the exception's type and the innermost line of the application's own code."""

from __future__ import annotations

from collections import Counter
from typing import Any

from apm_agent.errors import StoreError
from apm_agent.queries import detail, names
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.scope import scope_of
from apm_agent.queries.units import hex_id
from apm_agent.queries.window import Window

#: Failed transactions looked at, newest first: their details have to be unpacked for the line.
_MOST_ROWS = 2000
_MOST_ENDPOINTS = 10
_MOST_TRACES = 5

#: type, and the id of the frame: None where no detail was kept, or the answer alone says that it failed
_Key = tuple[str, int | None]


class _Group:
    """All failures of one type at one line, the newest first."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = 0
        self.message: str | None = None
        self.endpoints: Counter[str] = Counter()
        self.releases: Counter[str] = Counter()
        self.traces: list[str] = []

    def add(self, row: Row, name: str, message: str | None, has_detail: bool) -> None:
        number, _, started, _, _, version = row[:6]
        self.count += 1
        self.first = started
        self.last = self.last or started
        self.message = self.message or message
        self.endpoints[name] += 1
        self.releases[version or ""] += 1
        if has_detail and len(self.traces) < _MOST_TRACES:
            self.traces.append(hex_id(number))


def errors(connection: Connection, window: Window, service: str = "", release: str = "") -> dict[str, Any]:
    """A row a group, those first that happened most; `more` when there was more than is looked at."""
    scope = scope_of(connection, service, release)
    rows = failed(connection, window, scope.releases)
    groups: dict[_Key, _Group] = {}
    for row in rows:
        endpoint = scope.endpoints.get(row[1])
        if endpoint is None:
            continue
        kind, message, failure = told(row)
        key = (kind, (failure or {}).get("frame_id"))
        groups.setdefault(key, _Group()).add(row, endpoint.name, message, row[6] is not None)
    frames = names.frames(connection, {frame for _, frame in groups if frame})
    made = [
        {
            "type": kind,
            "message": group.message,
            **(names.where(frames.get(frame or 0)) or {"file": None, "line": None, "function": None}),
            "count": group.count,
            "first": group.first / 1e9,
            "last": group.last / 1e9,
            "endpoints": [
                {"name": name, "count": count} for name, count in group.endpoints.most_common(_MOST_ENDPOINTS)
            ],
            "releases": [
                {"release": name or None, "count": count} for name, count in group.releases.most_common()
            ],
            "traces": group.traces,
        }
        for (kind, frame), group in groups.items()
    ]
    made.sort(key=lambda each: (-each["count"], -each["last"], each["type"]))
    return {"errors": made, "failed": sum(each["count"] for each in made), "more": len(rows) >= _MOST_ROWS}


def failed(
    connection: Connection,
    window: Window,
    releases: tuple[int, ...] | None,
    most: int = _MOST_ROWS,
    endpoint: int | None = None,
) -> list[Row]:
    """The newest failed transactions, of all endpoints or of one: what `told` reads."""
    only = "" if releases is None else f" AND x.release_id IN ({', '.join('?' * len(releases))})"
    only += "" if endpoint is None else " AND x.endpoint_id = ?"
    return list(
        connection.rows(
            "SELECT x.id, x.endpoint_id, x.started_at, x.status, x.error, r.version, t.data FROM transactions x"
            " LEFT JOIN releases r ON r.id = x.release_id LEFT JOIN traces t ON t.transaction_id = x.id"
            f" WHERE x.failed = 1 AND x.started_at >= ? AND x.started_at < ?{only}"
            " ORDER BY x.started_at DESC LIMIT ?",
            (
                window.start_ns,
                window.end_ns,
                *(releases or ()),
                *(() if endpoint is None else (endpoint,)),
                most,
            ),
        )
    )


def _failure(data: bytes | None) -> dict[str, Any] | None:
    if data is None:
        return None
    try:
        found: dict[str, Any] | None = detail.unpack(data).get("failure")
    except StoreError:
        return None
    return found


def told(row: Row) -> tuple[str, str | None, dict[str, Any] | None]:
    """Type and message of a failure, and what its detail says where one was kept."""
    failure = _failure(row[6])
    if failure:
        return failure.get("type") or "", failure.get("message"), failure
    if row[4]:
        kind, _, message = row[4].partition(": ")
        return kind, message or None, None
    return f"HTTP {row[3]}", None, None
