"""All transactions of a window, a batch at a time and oldest first, for a file that holds them whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from apm_agent.model.shipment import Shipped, Sums
from apm_agent.queries.connection import Connection
from apm_agent.queries.shipping import load
from apm_agent.queries.window import Window

_BATCH = 2_000


def batches(
    connection: Connection, window: Window, endpoints: Collection[int], releases: tuple[int, ...] | None
) -> Iterator[list[tuple[Shipped, Sums]]]:
    """Those of some endpoints and releases; each batch may take as long as one question."""
    after = (window.start_ns, 0)
    chosen = set(endpoints)
    while True:
        connection.renew()
        rows = connection.rows(
            "SELECT started_at, id, endpoint_id, release_id FROM transactions"
            " WHERE started_at >= ? AND started_at < ? AND (started_at, id) > (?, ?)"
            " ORDER BY started_at ASC, id ASC LIMIT ?",
            (after[0], window.end_ns, *after, _BATCH),
        )
        if not rows:
            return
        after = rows[-1][0], rows[-1][1]
        ids = [row[1] for row in rows if row[2] in chosen and (releases is None or row[3] in releases)]
        yield from _batch(connection, ids)


def _batch(connection: Connection, ids: list[int]) -> Iterator[list[tuple[Shipped, Sums]]]:
    if not ids:
        return
    rows = connection.rows(
        f"SELECT id, {', '.join(Sums._fields)} FROM transactions WHERE id IN ({', '.join('?' * len(ids))})",
        ids,
    )
    sums = {row[0]: Sums(*row[1:]) for row in rows}
    yield [(each, sums[each.id]) for each in load(connection, ids)]
