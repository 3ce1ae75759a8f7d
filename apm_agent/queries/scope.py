"""Which endpoints and releases a question is about: the catalogue of the store, narrowed by filters."""

from __future__ import annotations

from typing import NamedTuple

from apm_agent.errors import QuestionError
from apm_agent.model.transaction import KINDS, TIMED_KINDS
from apm_agent.queries.connection import Connection
from apm_agent.queries.window import Piece


class Endpoint(NamedTuple):
    """What transactions are grouped by."""

    id: int
    service: str
    kind: str
    name: str
    view: str | None

    @property
    def method(self) -> str | None:
        """The HTTP method in the name of a web endpoint."""
        head, space, _ = self.name.partition(" ")
        return head if space and head.isupper() and self.kind != "background" else None

    @property
    def route(self) -> str | None:
        """The route template in the name of a web endpoint."""
        return self.name.partition(" ")[2] if self.method else None


class Scope(NamedTuple):
    """Endpoints by id, and the release ids asked for (None: all)."""

    endpoints: dict[int, Endpoint]
    releases: tuple[int, ...] | None = None

    @property
    def timed(self) -> dict[int, Endpoint]:
        """Those that enter latency percentiles and shares."""
        return {key: endpoint for key, endpoint in self.endpoints.items() if endpoint.kind in TIMED_KINDS}

    @property
    def key(self) -> tuple[object, ...]:
        """What tells one scope from another where answers are remembered."""
        return (frozenset(self.endpoints), self.releases)


def scope_of(connection: Connection, service: str = "", release: str = "") -> Scope:
    """All endpoints, or those of one service; a release narrows what is counted, not what is listed."""
    rows = connection.rows("SELECT id, service, kind, name, view FROM endpoints")
    endpoints = {row[0]: Endpoint._make(row) for row in rows if not service or row[1] == service}
    return Scope(endpoints, _releases(connection, release) if release else None)


def timed_ids(connection: Connection) -> set[int]:
    """The endpoints that enter latency percentiles and shares, of all services."""
    kinds = ", ".join("?" * len(TIMED_KINDS))
    rows = connection.rows(f"SELECT id FROM endpoints WHERE kind IN ({kinds})", sorted(TIMED_KINDS))
    return {row[0] for row in rows}


def one_endpoint(connection: Connection, name: str, kind: str = "", service: str = "") -> Endpoint | None:
    """The endpoint of that name; where several services or kinds share it, the web one that was seen last."""
    check_kind(kind)
    rows = connection.rows(
        "SELECT id, service, kind, name, view FROM endpoints WHERE name = ?"
        " AND (? = '' OR kind = ?) AND (? = '' OR service = ?) ORDER BY kind = 'web' DESC, id DESC LIMIT 1",
        (name, kind, kind, service, service),
    )
    return Endpoint(*rows[0]) if rows else None


def check_kind(kind: str) -> None:
    """Refuse a kind of transaction there is not."""
    if kind and kind not in KINDS:
        raise QuestionError(f"kind={kind[:40]!r} is not one of {', '.join(KINDS)}")


def release_ids(connection: Connection, release: str) -> tuple[int, ...] | None:
    """The ids of a version in all services; None for no filter."""
    return _releases(connection, release) if release else None


def _releases(connection: Connection, release: str) -> tuple[int, ...]:
    return tuple(row[0] for row in connection.rows("SELECT id FROM releases WHERE version = ?", (release,)))


_TIMES = "WITH RECURSIVE times (at) AS (VALUES (?) UNION ALL SELECT at + ? FROM times WHERE at + ? < ?)"


def select(
    table: str,
    columns: str,
    pieces: list[Piece],
    releases: tuple[int, ...] | None,
    endpoint: int | None = None,
) -> tuple[str, list[int]]:
    """The rows of a rollup table that `pieces` cover, as SQL and its parameters.

    `table` and `columns` are words of ours; whatever came from a question is a parameter. One endpoint is
    sought by the times themselves: its rows lie among those of all others.
    """
    parts: list[str] = []
    parameters: list[int] = []
    only = "" if releases is None else f" AND release_id IN ({', '.join('?' * len(releases))})"
    for resolution, start, end in pieces:
        if endpoint is None:
            parts.append(f"SELECT {columns} FROM {table} WHERE resolution = ? AND t >= ? AND t < ?{only}")
            parameters += [resolution, start, end]
        else:
            parts.append(
                f"SELECT * FROM ({_TIMES} SELECT {columns} FROM times CROSS JOIN {table}"
                f" WHERE resolution = ? AND t = at AND endpoint_id = ?{only})"
            )
            parameters += [start, resolution, resolution, end, resolution, endpoint]
        parameters += releases or ()
    if not parts:
        return f"SELECT {columns} FROM {table} WHERE 0", []
    return " UNION ALL ".join(parts), parameters
