"""What a statement reads of the tables that hold times: for a reader that keeps only a part of them at hand.

It knows how the questions of this folder are written. Of a statement it does not know it says that all is needed, so
that an answer is never drawn from a part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from apm_agent.queries.picking import MOST, MOST_SLICED, Picked, picked

#: The end of time, in seconds.
END = 4_102_444_800
_SECOND = 10**9


class Windows(NamedTuple):
    """Windows of a rollup table; `level` None: of every resolution."""

    table: str
    level: int | None
    start: int
    end: int


class Oldest(NamedTuple):
    """The oldest windows of a resolution only."""

    table: str
    level: int


class Transactions(NamedTuple):
    """Those that began from then to then, in ns."""

    start: int
    end: int
    #: but the newest so many
    most: int | None = None


class Newest(NamedTuple):
    """The newest transactions only."""


class Ids(NamedTuple):
    """Transactions by their ids, and whether what they did is read too."""

    ids: tuple[int, ...]
    blobs: bool = False


Need = Windows | Oldest | Transactions | Picked | Newest | Ids

_TABLES = r"(rollups|statement_rollups|insight_rollups|profiles)"
_NAMED = re.compile(rf"\b(?:FROM|JOIN) {_TABLES}\b")
_BETWEEN = re.compile(rf"\bFROM {_TABLES} WHERE resolution = \? AND t >= \? AND t < \?")
_TIMES = re.compile(
    r"VALUES \(\?\) UNION ALL SELECT at \+ \? FROM times WHERE at \+ \? < \?\)"
    rf" SELECT [^?]*? FROM times CROSS JOIN {_TABLES} WHERE resolution = \?"
)
_OLDEST = re.compile(rf"SELECT min\(t\) FROM {_TABLES} WHERE resolution = \?$")
_LEVEL = re.compile(
    rf"\b(?:FROM|JOIN) {_TABLES}\b[^()]*?\bresolution = (\?|\d+)(?: AND (?:\w\.)?t (>=|>|=) \?)?"
)
_SINGLE = re.compile(r"\b(?:FROM|JOIN) (?:transactions|traces)\b")
_STARTED = re.compile(r"started_at >= \? AND (?:\w+\.)?started_at < \?")
_SLICES = re.compile(
    r"VALUES \(\?\) UNION ALL SELECT at \+ \? FROM slices WHERE at \+ \? < \?\)"
    r"(?=.*\bFROM slices CROSS JOIN transactions\b)",
    re.DOTALL,
)
_BY_ID = re.compile(
    r"(?<![a-z_.])(?:\w\.)?(?:id|transaction_id) (?:= \?|IN \((?:\?|SELECT value FROM json_each))"
)
_NEWEST = re.compile(
    r"SELECT max\(started_at\) FROM transactions$|FROM transactions ORDER BY started_at DESC LIMIT \?\d*\)"
    r"|^SELECT \(SELECT min\(started_at\) FROM transactions\), \(SELECT max\(started_at\) FROM transactions\)$"
)
_BEFORE = re.compile(r"FROM transactions WHERE started_at < \?$")


def needs(sql: str, parameters: Sequence[Any]) -> list[Need]:
    """What there must be for the answer to be whole."""
    return [*_windows(sql, parameters), *_single(sql, parameters)]


@lru_cache(500)
def _places(sql: str) -> tuple[tuple[str, str, int, str, str], ...]:
    """(how it is written, table, number of the first parameter, level, comparison) of each rollup table in it."""
    found: list[tuple[str, str, int, str, str]] = []
    for how, pattern in (("between", _BETWEEN), ("times", _TIMES), ("oldest", _OLDEST)):
        found += [(how, match[1], _before(sql, match.start()), "", "") for match in pattern.finditer(sql)]
    if len(found) == len(_NAMED.findall(sql)):
        return tuple(found)
    found = [
        ("level", match[1], _before(sql, match.start(2)), match[2], match[3] or "")
        for match in _LEVEL.finditer(sql)
    ]
    if len(found) == len(_NAMED.findall(sql)):
        return tuple(found)
    return tuple(("all", match[1], 0, "", "") for match in _NAMED.finditer(sql))


def _before(sql: str, at: int) -> int:
    return sql.count("?", 0, at)


def _windows(sql: str, parameters: Sequence[Any]) -> Iterator[Need]:
    for how, table, first, level, compared in _places(sql):
        given = parameters[first : first + 5]
        if how == "between":
            yield Windows(table, int(given[0]), int(given[1]), int(given[2]))
        elif how == "times":
            yield Windows(table, int(given[4]), int(given[0]), int(given[3]))
        elif how == "oldest":
            yield Oldest(table, int(given[0]))
        elif how == "all":
            yield Windows(table, None, 0, END)
        else:
            asked = given if level == "?" else (int(level), *given)
            start = int(asked[1]) if compared else 0
            yield Windows(table, int(asked[0]), start, start + 1 if compared == "=" else END)


def _single(sql: str, parameters: Sequence[Any]) -> Iterator[Need]:
    if not _SINGLE.search(sql):
        return
    pick = picked(sql, parameters)
    if pick is not None and pick.limit <= max(MOST, MOST_SLICED * ("sliced" in dict(pick.terms))):
        yield pick
        return
    if pick is not None and pick.newest:
        yield Transactions(*pick.bounds, pick.limit)
        return
    ranges: list[Need] = [
        Transactions(int(parameters[first]), int(parameters[first + 1]))
        for first in (_before(sql, match.start()) for match in _STARTED.finditer(sql))
    ]
    for match in _SLICES.finditer(sql):
        start, width, _, end = (int(each) for each in parameters[_before(sql, match.start()) :][:4])
        ranges.append(Transactions(start, end + width))
    if ranges:
        yield from ranges
    elif _BY_ID.search(sql):
        yield Ids(tuple(_ids(parameters)), "data" in sql)
    elif _NEWEST.search(sql):
        yield Newest()
    elif _BEFORE.search(sql):
        yield Transactions(0, int(parameters[-1]))
    else:
        yield Transactions(0, END * _SECOND)


def _ids(parameters: Sequence[Any]) -> Iterator[int]:
    for each in parameters:
        if isinstance(each, int):
            yield each
        elif isinstance(each, str) and each.startswith("["):
            yield from (value for value in json.loads(each) if isinstance(value, int))
