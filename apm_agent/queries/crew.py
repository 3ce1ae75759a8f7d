"""The processes at work, for the overview: memory, restarts, what is in flight, how long collections paused them."""

from __future__ import annotations

from typing import Any

from apm_agent.queries.connection import Connection
from apm_agent.queries.live import asked_until_of, in_flight
from apm_agent.queries.scope import Scope, select
from apm_agent.queries.units import kb, ms
from apm_agent.queries.window import Window

_MOST = 64
#: One not heard of for an hour, as the store's time goes, is no worker any more.
_RECENT_NS = 3600 * 10**9


def workers(connection: Connection, service: str = "") -> list[dict[str, Any]]:
    """The processes seen lately, by when they began."""
    return [
        {
            "host": host, "pid": pid, "service": name, "started": started / 1e9, "rss_kb": kb(rss),
            "last_seen": seen / 1e9,
        }
        for host, pid, name, started, rss, seen in connection.rows(
            "SELECT host, pid, service, started_at, rss, last_seen FROM processes WHERE (? = '' OR service = ?)"
            " AND last_seen >= (SELECT max(last_seen) FROM processes) - ? ORDER BY started_at, pid LIMIT ?",
            (service, service, _RECENT_NS, _MOST),
        )
    ]  # fmt: skip


def crew(connection: Connection, window: Window, scope: Scope, service: str = "") -> dict[str, Any]:
    """What is known of all of them together; null is what nobody can know or nobody asked for."""
    return {
        "restarts": _restarts(connection, window, service),
        "in_flight": _in_flight(connection, service),
        "longest_gc_ms": _longest_gc(connection, window, scope),
    }


def _restarts(connection: Connection, window: Window, service: str) -> int | None:
    """Server processes that began in the window after another of their service and host had ended in it."""
    row = connection.row(
        "SELECT count(*), sum(started_at >= ? AND started_at < ? AND EXISTS (SELECT 1 FROM processes o"
        " WHERE o.service = p.service AND o.host = p.host AND o.server != '' AND o.last_seen < p.started_at"
        " AND o.last_seen >= ?)) FROM processes p WHERE server != '' AND (? = '' OR service = ?)"
        " AND last_seen >= ?",
        (window.start_ns, window.end_ns, window.start_ns, service, service, window.start_ns),
    )
    return int(row[1] or 0) if row and row[0] else None


def _in_flight(connection: Connection, service: str) -> dict[str, Any] | None:
    """How many, and for how long the oldest; None while nobody asks the processes to tell."""
    if asked_until_of(connection.path) is None:
        return None
    told = in_flight(connection)
    counts = [each["in_flight"] for each in told["processes"] if service in {"", each["service"]}]
    ages = [each["age_ms"] for each in told["in_flight"] if service in {"", each["service"]}]
    return {"count": sum(counts), "oldest_ms": max(ages, default=None)}


def _longest_gc(connection: Connection, window: Window, scope: Scope) -> float | None:
    """The most that collections took in one transaction, of those where it was worth telling."""
    columns = "kind, endpoint_id, cost_max_ns"
    sql, parameters = select("insight_rollups", columns, window.pieces(), scope.releases)
    rows = connection.rows(
        f"SELECT endpoint_id, max(cost_max_ns) FROM ({sql}) WHERE kind = 'gc_pause' GROUP BY endpoint_id",
        parameters,
    )
    return ms(max((cost for endpoint, cost in rows if endpoint in scope.endpoints), default=None))
