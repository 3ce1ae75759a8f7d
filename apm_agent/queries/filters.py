"""What narrows a list of transactions, and how SQL says it."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from apm_agent.queries.rows import COLUMNS, TABLES

_LIKE = "LIKE ? ESCAPE '!'"
#: The plus keeps SQLite from the index by endpoint: by time the newest come first.
CHOSEN = "+x.endpoint_id IN (SELECT value FROM json_each(?)) AND"
ONE = "x.endpoint_id = ? AND"


class Filters(NamedTuple):
    """What narrows a list of transactions; empty means all."""

    name: str = ""
    kind: str = ""
    service: str = ""
    release: str = ""
    min_ns: int = 0
    max_ns: int | None = None
    status: int | None = None
    failed: bool = False
    kept: bool = False
    text: str = ""

    @property
    def narrow(self) -> bool:
        """Whether what is looked for may be seldom among the slowest."""
        return (
            self.max_ns is not None or self.status is not None or self.failed or self.kept or bool(self.text)
        )


EVERY = Filters()


def statement(  # noqa: PLR0917
    filters: Filters,
    releases: tuple[int, ...] | None,
    after: tuple[int, int] | None,
    order: str,
    endpoint: str,
    columns: str = COLUMNS,
    tables: str = TABLES,
) -> str:
    """Which conditions there are depends on the filters; what they compare with is always a parameter."""
    conditions = [f"{endpoint} x.started_at >= ? AND x.started_at < ?", "x.duration_ns >= ?"]
    if filters.max_ns is not None:
        conditions.append("x.duration_ns <= ?")
    if filters.status is not None:
        conditions.append("x.status = ?")
    if filters.failed:
        conditions.append("x.failed = 1")
    if filters.kept:
        conditions.append("x.kept IS NOT NULL")
    if releases is not None:
        conditions.append(f"x.release_id IN ({', '.join('?' * len(releases))})")
    if filters.text:
        conditions.append(
            f"(x.path {_LIKE} OR x.error {_LIKE}"
            f" OR {' OR '.join(f'x.context {_LIKE}' for _ in _as_kept(filters.text))})"
        )
    if after is not None:
        conditions.append(f"({order}, x.id) < (?, ?)")
    where = " AND ".join(conditions)
    return f"SELECT {columns} FROM {tables} WHERE {where} ORDER BY {order} DESC, x.id DESC LIMIT ?"


def values(filters: Filters, releases: tuple[int, ...] | None, after: tuple[int, int] | None) -> list[Any]:
    """The parameters of `statement` from the least duration on, but for its limit."""
    text = filters.text.lower()
    texts = [_pattern(each) for each in (text, text, *_as_kept(text))] if text else []
    return [
        filters.min_ns,
        *([filters.max_ns] if filters.max_ns is not None else ()),
        *([filters.status] if filters.status is not None else ()),
        *(releases or ()),
        *texts,
        *(after or ()),
    ]


def _pattern(text: str) -> str:
    """What LIKE finds anywhere, every character as itself; it takes half the time of instr(lower(…))."""
    return "%" + re.sub("([%_!])", r"!\1", text) + "%"


def _as_kept(text: str) -> tuple[str, ...]:
    """What to look for in a context, kept as JSON: ``user=7`` is ``"user":7`` or ``"user":"7"`` there."""
    key, equals, value = text.partition("=")
    if not equals:
        escaped = json.dumps(text)[1:-1]
        return (escaped,)
    name, plain = json.dumps(key), json.dumps(value)
    return f"{name}:{plain[1:-1]}", f"{name}:{plain[:-1]}"
