"""How long the garbage collector kept transactions waiting, by endpoint, and its longest pause."""

from __future__ import annotations

from typing import Any, NamedTuple

from apm_agent.errors import StoreError
from apm_agent.queries import detail
from apm_agent.queries.connection import Connection
from apm_agent.queries.rollups import totals
from apm_agent.queries.scope import Scope
from apm_agent.queries.settled import settled
from apm_agent.queries.units import hex_id, millis
from apm_agent.queries.window import Window

#: Newest transactions counted; kept ones looked into for single pauses, those that waited longest.
_MOST_ROWS, _MOST_KEPT = 200_000, 200
_MOST_ROWS_TOLD = 100

METHOD = (
    "Time in pauses: of every transaction of the window. A collection is charged to the transaction on whose thread it "
    "ran. How many pauses, and the longest, are known of transactions kept with detail: the {looked} of the window "
    "that waited longest were looked into."
)


class _Paused(NamedTuple):
    transactions: int
    most_ns: int


class _Pause(NamedTuple):
    ns: int
    generation: int
    transaction: int
    endpoint: int


def pauses(connection: Connection, window: Window, scope: Scope) -> dict[str, Any]:
    """Time, transactions that waited, and single pauses where they are kept."""
    sums = {
        key: each
        for key, each in totals(connection, window.pieces(), scope.releases).items()
        if key in scope.endpoints
    }
    paused = _paused(connection, window, scope)
    looked, counts, longest = _single(connection, window, scope)
    whole = sum(each.gc_ns for each in sums.values())
    rows = [
        {
            "name": scope.endpoints[key].name,
            "kind": scope.endpoints[key].kind,
            "service": scope.endpoints[key].service,
            "total_ms": millis(each.gc_ns),
            "share": each.gc_ns / whole if whole else 0.0,
            "of_its_time": min(1.0, each.gc_ns / each.duration_ns) if each.duration_ns else 0.0,
            "calls": each.count,
            "paused": paused[key].transactions if key in paused else 0,
            "most_ms": millis(paused[key].most_ns) if key in paused else None,
            "pauses": counts.get(key, (0, 0))[0],
            "looked_into": counts.get(key, (0, 0))[1],
        }
        for key, each in sums.items()
        if each.gc_ns
    ]
    rows.sort(key=lambda row: (-float(str(row["total_ms"])), str(row["name"])))
    # A transaction that was not looked into may hide a longer one only if it waited longer altogether.
    most = max((each.most_ns for each in paused.values()), default=0)
    return {
        "total_ms": millis(whole),
        "of_all_time": whole / spent if (spent := sum(each.duration_ns for each in sums.values())) else 0.0,
        "calls": sum(each.count for each in sums.values()),
        "paused": sum(each.transactions for each in paused.values()),
        "pauses": sum(count for count, _ in counts.values()),
        "looked_into": looked,
        "longest": None
        if longest is None
        else {
            "ms": millis(longest.ns),
            "generation": longest.generation,
            "trace": hex_id(longest.transaction),
            "name": scope.endpoints[longest.endpoint].name,
        },
        "at_most_ms": millis(most) if most else None,
        "endpoints": rows[:_MOST_ROWS_TOLD],
        "method": METHOD.format(looked=looked),
    }


def _narrowed(scope: Scope) -> str:
    return "" if scope.releases is None else f" AND release_id IN ({', '.join('?' * len(scope.releases))})"


def _paused(connection: Connection, window: Window, scope: Scope) -> dict[int, _Paused]:
    def read(start: int, end: int) -> dict[int, _Paused]:
        rows = connection.rows(
            "SELECT endpoint_id, count(*), max(gc_ns) FROM (SELECT endpoint_id, gc_ns FROM transactions"
            f" WHERE started_at >= ? AND started_at < ?{_narrowed(scope)} ORDER BY started_at DESC LIMIT ?)"
            " WHERE gc_ns > 0 GROUP BY endpoint_id",
            (start, end, *(scope.releases or ()), _MOST_ROWS),
        )
        return {key: _Paused(count, most) for key, count, most in rows}

    found = settled(connection, window, ("paused", scope.releases), read, _both)
    return {key: each for key, each in found.items() if key in scope.endpoints}


def _both(before: dict[int, _Paused], after: dict[int, _Paused]) -> dict[int, _Paused]:
    found = {**before}
    for key, (count, most) in after.items():
        known = found.get(key, _Paused(0, 0))
        found[key] = _Paused(known.transactions + count, max(known.most_ns, most))
    return found


class _Waited(NamedTuple):
    """A kept transaction, how long the collector kept it waiting, and the pauses its detail tells of."""

    ns: int
    transaction: int
    endpoint: int
    said: tuple[tuple[int, int, int], ...]


def _waited(connection: Connection, window: Window, scope: Scope) -> list[_Waited]:
    """The kept ones that waited longest."""

    def read(start: int, end: int) -> list[_Waited]:
        rows = connection.rows(
            "SELECT x.gc_ns, x.id, x.endpoint_id, t.data FROM (SELECT id, endpoint_id, gc_ns FROM (SELECT * FROM"
            f" transactions WHERE started_at >= ? AND started_at < ?{_narrowed(scope)} ORDER BY started_at DESC"
            " LIMIT ?) WHERE gc_ns > 0 AND kept IS NOT NULL ORDER BY gc_ns DESC LIMIT ?) x"
            " JOIN traces t ON t.transaction_id = x.id",
            (start, end, *(scope.releases or ()), _MOST_ROWS, _MOST_KEPT),
        )
        return [_Waited(ns, transaction, endpoint, _said(data)) for ns, transaction, endpoint, data in rows]

    def longest(before: list[_Waited], after: list[_Waited]) -> list[_Waited]:
        return sorted(before + after, key=lambda each: -each.ns)[:_MOST_KEPT]

    return settled(connection, window, ("waited", scope.releases), read, longest)


def _said(data: bytes) -> tuple[tuple[int, int, int], ...]:
    try:
        return tuple((at, ns, generation) for at, ns, generation in detail.unpack(data).get("gc") or ())
    except StoreError:  # one damaged blob is no reason to show none of the others
        return ()


def _single(
    connection: Connection, window: Window, scope: Scope
) -> tuple[int, dict[int, tuple[int, int]], _Pause | None]:
    """How many kept ones were looked into; endpoint → (pauses, in how many of them); and the longest pause."""
    looked = 0
    counts: dict[int, tuple[int, int]] = {}
    longest: _Pause | None = None
    for _, transaction, endpoint, said in _waited(connection, window, scope):
        if endpoint not in scope.endpoints or not said:
            continue
        looked += 1
        count, among = counts.get(endpoint, (0, 0))
        counts[endpoint] = (count + len(said), among + 1)
        _, ns, generation = max(said, key=lambda each: each[1])
        if longest is None or ns > longest.ns:
            longest = _Pause(ns, generation, transaction, endpoint)
    return looked, counts, longest
