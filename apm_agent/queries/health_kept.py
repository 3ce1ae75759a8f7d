"""How far back a store reaches, and what is in it about people: for the Health page."""

from __future__ import annotations

from typing import Any

from apm_agent.model.scrub import MASK
from apm_agent.queries.connection import Connection
from apm_agent.queries.units import unix

_DAY = 86_400
#: (what, table, seconds of a window) → how many seconds back it is kept; the writer's own are `store.retention.AGES`.
KEPT = (
    ("minutes", "rollups", 60, 8 * _DAY),
    ("hours", "rollups", 3600, 90 * _DAY),
    ("days", "rollups", 86400, 730 * _DAY),
    ("profiles of 10 minutes", "profiles", 600, 2 * _DAY),
    ("profiles of an hour", "profiles", 3600, 14 * _DAY),
    ("profiles of a day", "profiles", 86400, 90 * _DAY),
)
#: Single transactions looked at for what was masked in them.
_LOOKED_AT = 2_000


def kept(connection: Connection, oldest: int | None, max_age: float | None) -> list[dict[str, Any]]:
    """Of each thing that is kept: since when there is any, and for how long it stays."""
    rows: list[dict[str, Any]] = [
        {"what": "single transactions", "oldest": unix(oldest), "max_age_s": max_age}
    ]
    for what, table, resolution, age in KEPT:
        row = connection.row(f"SELECT min(t) FROM {table} WHERE resolution = ?", (resolution,))
        since = float(row[0]) if row and row[0] is not None else None
        rows.append({"what": what, "oldest": since, "max_age_s": float(age)})
    return rows


def privacy(connection: Connection) -> dict[str, Any]:
    """What the newest transactions hold of those who sent them, and in how many something was masked."""
    row = connection.row(
        "SELECT count(*), count(path), count(context), coalesce(sum(instr(path, ?1) > 0), 0),"
        " coalesce(sum(instr(context, ?1) > 0), 0)"
        " FROM (SELECT path, context FROM transactions ORDER BY started_at DESC LIMIT ?2)",
        (MASK, _LOOKED_AT),
    ) or (0, 0, 0, 0, 0)
    names = ("looked_at", "with_path", "with_context", "masked_paths", "masked_contexts")
    return {**dict(zip(names, row, strict=True)), "keys": _keys(connection)}


def _keys(connection: Connection) -> list[dict[str, Any]]:
    """The keys of context that the application gave, the commonest first."""
    rows = connection.rows(
        "SELECT each.key, count(*) FROM (SELECT context FROM transactions ORDER BY started_at DESC LIMIT ?1) AS newest,"
        " json_each(CASE WHEN json_valid(newest.context) THEN newest.context ELSE '{}' END) AS each"
        " GROUP BY each.key ORDER BY 2 DESC, 1 LIMIT 20",
        (_LOOKED_AT,),
    )
    return [{"key": str(key), "count": count} for key, count in rows]
