"""Transactions that failed: with what, and at which line of the application's own code."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from apm_agent.errors import StoreError
from apm_agent.queries import detail
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.memory import Memory
from apm_agent.queries.window import Window

#: Failed transactions looked at, newest first: their details have to be unpacked for the line.
MOST = 2000
_AT_ONCE = 200
#: What a detail says stays as it is; it is remembered so that a page that refreshes itself unpacks it once.
_REMEMBERED, _KEEP = 20_000, 3600
_memory = Memory(_REMEMBERED)
_UNKNOWN = object()


class Failure(NamedTuple):
    """One failure. `frame` is None where no detail was kept, or the answer alone says that it failed."""

    transaction: int
    endpoint: int
    started: int
    release: str
    type: str
    message: str | None
    frame: int | None
    kept: bool

    @property
    def key(self) -> tuple[str, int | None]:
        """What failures are grouped by."""
        return self.type, self.frame


def failures(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, most: int = MOST
) -> list[Failure]:
    """The newest failures of a window."""
    only = "" if releases is None else f" AND x.release_id IN ({', '.join('?' * len(releases))})"
    rows = connection.rows(
        "SELECT x.id, x.endpoint_id, x.started_at, x.status, x.error, r.version,"
        " EXISTS (SELECT 1 FROM traces WHERE transaction_id = x.id) FROM transactions x"
        " LEFT JOIN releases r ON r.id = x.release_id"
        f" WHERE x.failed = 1 AND x.started_at >= ? AND x.started_at < ?{only} ORDER BY x.started_at DESC LIMIT ?",
        (window.start_ns, window.end_ns, *(releases or ()), most),
    )
    said = _said(connection, [row[0] for row in rows if row[6]])
    return [
        Failure(number, endpoint, started, version or "", *_told(said.get(number), status, error), bool(kept))
        for number, endpoint, started, status, error, version, kept in rows
    ]


def _told(
    said: tuple[str, str | None, int | None] | None, status: int | None, error: str | None
) -> tuple[str, str | None, int | None]:
    if said is not None:
        return said
    kind, message = _by_row(status, error)
    return kind, message, None


def _said(connection: Connection, numbers: list[int]) -> dict[int, tuple[str, str | None, int | None]]:
    """Type, message and own frame of those whose detail says so."""
    key = (connection.path, connection.identity)
    known = {number: _memory.get((*key, number), _UNKNOWN) for number in numbers}
    missing = [number for number, said in known.items() if said is _UNKNOWN]
    for at in range(0, len(missing), _AT_ONCE):
        part = missing[at : at + _AT_ONCE]
        rows = connection.rows(
            "SELECT transaction_id, data FROM traces WHERE transaction_id IN (SELECT value FROM json_each(?))",
            (json.dumps(part),),
        )
        for number, data in rows:
            failure = failure_of(data)
            known[number] = (
                (failure.get("type") or "", failure.get("message"), failure.get("frame_id"))
                if failure
                else None
            )
            _memory.put((*key, number), known[number], _KEEP)
    return {number: said for number, said in known.items() if said is not _UNKNOWN and said is not None}


def failed(
    connection: Connection,
    window: Window,
    releases: tuple[int, ...] | None,
    most: int = MOST,
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


def failure_of(data: bytes | None) -> dict[str, Any] | None:
    """What a detail says of the failure; None where there is none or it cannot be read."""
    if data is None:
        return None
    try:
        found: dict[str, Any] | None = detail.unpack(data).get("failure")
    except StoreError:
        return None
    return found


def told(row: Row) -> tuple[str, str | None, dict[str, Any] | None]:
    """Type and message of a failure, and what its detail says where one was kept."""
    failure = failure_of(row[6])
    if failure:
        return failure.get("type") or "", failure.get("message"), failure
    return (*_by_row(row[3], row[4]), None)


def _by_row(status: int | None, error: str | None) -> tuple[str, str | None]:
    if error:
        kind, _, message = error.partition(": ")
        return kind, message or None
    return f"HTTP {status}", None
