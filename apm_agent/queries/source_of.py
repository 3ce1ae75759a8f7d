"""Whose folders the source of a transaction or of an endpoint is read from, and when what is shown ran."""

from __future__ import annotations

from apm_agent.queries.connection import Connection
from apm_agent.queries.scope import Endpoint
from apm_agent.queries.source import Sources, roots_of
from apm_agent.queries.window import Window

_EDGE = (
    "SELECT started_at FROM transactions WHERE endpoint_id = ? AND started_at >= ? AND started_at < ?"
    " ORDER BY started_at {} LIMIT 1"
)


def of_transaction(connection: Connection, number: int) -> Sources | None:
    """Of the process that ran it; None when it is not in the store."""
    row = connection.row(
        "SELECT p.app_root, x.started_at FROM transactions x LEFT JOIN processes p ON p.id = x.process_id"
        " WHERE x.id = ?",
        (number,),
    )
    return None if row is None else Sources(roots_of([row]), row[1] / 1e9)


def of_endpoint(connection: Connection, found: Endpoint, window: Window) -> Sources:
    """Of the service's processes; a file newer than the endpoint's last transaction has changed."""
    roots = connection.rows(
        "SELECT DISTINCT app_root FROM processes WHERE service = ? AND last_seen >= ?"
        " ORDER BY last_seen DESC LIMIT 8",
        (found.service, window.start_ns),
    )
    span = (found.id, window.start_ns, window.end_ns)
    first, last = (connection.row(_EDGE.format(order), span) for order in ("ASC", "DESC"))
    if first is None or last is None:
        return Sources(roots_of(roots), float(window.start))
    return Sources(roots_of(roots), last[0] / 1e9, first[0] / 1e9)
