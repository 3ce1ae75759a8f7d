"""What the transactions in a box of the heatmap share that the others of the window do not.

A box is a span of time and of durations. Each value of each attribute is counted inside the box and outside of it,
and those whose share differs most come first. Of a window with very many transactions a part is read: the first bit of
each of a few hundred equal slices, so that every moment is as likely to be in it as any other.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from apm_agent.queries.attributes import COLUMNS, Catalogue, catalogue_of, order_of, values_of
from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.scope import Scope, scope_of, select
from apm_agent.queries.significance import more_often
from apm_agent.queries.units import hex_id, millis
from apm_agent.queries.window import Window

#: Rows that are compared on each side, and rows that are looked through for those in the box.
_MOST_ROWS, _MOST_READ = 5_000, 200_000
_SLICES = 400
#: Values told, of one attribute at most so many, and by how much their share must be larger inside.
_MOST, _EACH, _LARGER = 6, 2, 0.01
#: Under so many on a side a share says little; a chance above this may be all there is to a difference.
_THIN, _SURE = 20, 1e-4
#: Neighbours of the median that are looked at for one whose detail is kept.
_NEAR = 50


class Box(NamedTuple):
    """A rectangle of the heatmap: whole minutes, and durations with both ends."""

    window: Window
    min_ns: int = 0
    max_ns: int | None = None

    @property
    def sql(self) -> tuple[str, list[int]]:
        """The condition that a transaction lies in it."""
        most = "" if self.max_ns is None else " AND x.duration_ns <= ?"
        limits = [self.window.start_ns, self.window.end_ns, self.min_ns]
        return (
            f"x.started_at >= ? AND x.started_at < ? AND x.duration_ns >= ?{most}",
            limits if self.max_ns is None else [*limits, self.max_ns],
        )


class _Part(NamedTuple):
    """How much of a window is read: all of it, or the first `length` of every `every` nanoseconds."""

    start: int
    end: int
    every: int
    length: int

    @property
    def share(self) -> float:
        return self.length / self.every


def explain(
    connection: Connection, box: Box, base: Window, service: str = "", release: str = ""
) -> dict[str, Any]:
    """The values that stand out in the box against the rest of `base`, and its median transaction."""
    everything = scope_of(connection, service, release)
    scope = Scope(everything.timed, everything.releases)
    known = catalogue_of(connection, scope.endpoints)
    count, inside, part = _inside(connection, box, scope)
    total = _calls(connection, base, scope)
    outside, rest = _outside(connection, box, base, scope, total)
    return {
        "selected": {"count": count, "looked_at": len(inside), "median_ms": _median(inside)},
        "others": {"count": max(len(outside), total - count), "looked_at": len(outside)},
        "box": {
            "from": float(box.window.start),
            "to": float(box.window.end),
            "min_ms": millis(box.min_ns),
            "max_ms": None if box.max_ns is None else millis(box.max_ns),
        },
        "base": {"from": float(base.start), "to": float(base.end)},
        "sampled": part.share < 1 or rest.share < 1,
        "thin": min(len(inside), len(outside)) < _THIN,
        "shared": _shared(inside, outside, known),
        "median": _example(connection, inside),
    }


def _inside(connection: Connection, box: Box, scope: Scope) -> tuple[int, list[Row], _Part]:
    """How many are in the box, those that are compared, and of how much of it they are."""
    condition, values = box.sql
    part = _part(box.window, _MOST_READ / max(1, _calls(connection, box.window, scope)))
    ((found,),) = _rows(connection, "count(*)", part, scope, condition, values) or [(0,)]
    count = round(found / part.share)
    if found > _MOST_ROWS:
        part = _part(box.window, part.share * _MOST_ROWS / found)
    return count, _rows(connection, COLUMNS, part, scope, condition, values) if found else [], part


def _outside(
    connection: Connection, box: Box, base: Window, scope: Scope, total: int
) -> tuple[list[Row], _Part]:
    """The others that are compared, and of how much of the window they are."""
    condition, values = box.sql
    part = _part(base, _MOST_ROWS / max(1, total))
    return _rows(connection, COLUMNS, part, scope, f"NOT ({condition})", values), part


def _calls(connection: Connection, window: Window, scope: Scope) -> int:
    """All transactions of a window, from the rollups."""
    sql, parameters = select("rollups", "endpoint_id, count", window.pieces(), scope.releases)
    rows = connection.rows(f"SELECT endpoint_id, sum(count) FROM ({sql}) GROUP BY endpoint_id", parameters)
    return sum(count for endpoint, count in rows if endpoint in scope.endpoints)


def _part(window: Window, share: float) -> _Part:
    end = min(window.end_ns, time.time_ns() + 10**9)
    whole = max(1, end - window.start_ns)
    if share >= 1:
        return _Part(window.start_ns, end, whole, whole)
    every = max(1, whole // _SLICES)
    return _Part(window.start_ns, end, every, max(1, round(every * share)))


def _rows(  # noqa: PLR0917
    connection: Connection,
    columns: str,
    part: _Part,
    scope: Scope,
    condition: str,
    values: Sequence[int],
) -> list[Row]:
    """Rows of a part of a window, by their ids: these begin with the start, so a slice is one stretch of the table."""
    if not scope.endpoints:
        return []
    only = "" if scope.releases is None else f" AND x.release_id IN ({', '.join('?' * len(scope.releases))})"
    return connection.rows(
        "WITH RECURSIVE slices (at) AS (VALUES (?) UNION ALL SELECT at + ? FROM slices WHERE at + ? < ?)"
        f" SELECT {columns} FROM slices CROSS JOIN transactions x"
        " WHERE x.id >= (at >> 20) << 21 AND x.id < (((at + ?) >> 20) + 1) << 21"
        " AND x.started_at >= at AND x.started_at < min(at + ?, ?)"
        f" AND x.endpoint_id IN (SELECT value FROM json_each(?)){only} AND {condition}",
        (
            part.start, part.every, part.every, part.end, part.length, part.length, part.end,
            json.dumps(sorted(scope.endpoints)), *(scope.releases or ()), *values,
        ),
    )  # fmt: skip


def _shared(inside: list[Row], outside: list[Row], known: Catalogue) -> list[dict[str, Any]]:
    """The values whose share is larger inside, the largest difference first."""
    if not inside:
        return []
    here, there = (
        Counter(value for row in rows for value in values_of(row, known)) for rows in (inside, outside)
    )
    ranked = sorted(
        ((count / len(inside) - there[value] / max(1, len(outside)), value) for value, count in here.items()),
        key=lambda each: (-each[0], order_of(each[1][0]), each[1]),
    )
    made: list[dict[str, Any]] = []
    often: Counter[str] = Counter()
    told: dict[tuple[int, int], dict[str, Any]] = {}
    for larger, (attribute, value) in ranked:
        if larger < _LARGER:
            break
        counts = here[attribute, value], there[attribute, value]
        if counts in told:  # as good as certainly the same transactions, said in other words
            told[counts]["also"].append({"attribute": attribute, "value": _named(attribute, value, known)})
            continue
        often[attribute] += 1
        if often[attribute] > _EACH:
            continue
        if len(made) == _MOST:
            break
        told[counts] = _told(attribute, value, counts, (len(inside), len(outside)), known)
        made.append(told[counts])
    return made


def _told(
    attribute: str, value: str, counts: tuple[int, int], of: tuple[int, int], known: Catalogue
) -> dict[str, Any]:
    endpoint = known.endpoints.get(value) if attribute == "endpoint" else None
    return {
        "attribute": attribute,
        "value": _named(attribute, value, known),
        "inside": round(counts[0] / of[0], 6),
        "outside": round(counts[1] / of[1], 6) if of[1] else None,
        "inside_count": counts[0],
        "outside_count": counts[1],
        "sure": more_often(counts[0], of[0], counts[1], of[1]) < _SURE,
        "endpoint": {"name": endpoint.name, "kind": endpoint.kind, "service": endpoint.service}
        if endpoint
        else None,
        "also": [],
    }


def _named(attribute: str, value: str, known: Catalogue) -> str:
    return known.endpoints[value].name if attribute == "endpoint" else value


def _median(rows: list[Row]) -> float | None:
    durations = sorted(row[1] for row in rows)
    return millis(durations[len(durations) // 2]) if durations else None


def _example(connection: Connection, rows: list[Row]) -> dict[str, Any] | None:
    """The transaction in the middle, or the nearest to it whose detail is kept."""
    if not rows:
        return None
    ranked = sorted(rows, key=lambda row: (row[1], row[0]))
    middle = ranked[len(ranked) // 2]
    near = sorted((row for row in ranked if row[2] is not None), key=lambda row: abs(row[1] - middle[1]))
    wanted = [row[0] for row in near[:_NEAR]]
    kept = {
        row[0]
        for row in connection.rows(
            "SELECT transaction_id FROM traces WHERE transaction_id IN (SELECT value FROM json_each(?))",
            (json.dumps(wanted),),
        )
    }
    chosen = next((row for row in near[:_NEAR] if row[0] in kept), middle)
    return {"id": hex_id(chosen[0]), "duration_ms": millis(chosen[1]), "has_detail": chosen[0] in kept}
