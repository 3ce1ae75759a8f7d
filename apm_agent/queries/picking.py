"""Which single transactions a statement picks by an order and a limit, so that a server can be asked for just those.

It knows how the questions of this folder are written. Of a condition it does not know it says nothing at all: then
the whole window has to be there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from apm_agent.clickhouse.engine import quoted

#: More than so many are no pick.
MOST, MOST_SLICED = 5_000, 50_000
_LEAST, _LARGEST = -(1 << 63), (1 << 63) - 1

#: (table, number in the mirror) → the id on the server
Far = Callable[[str, int], "int | None"]


class Picked(NamedTuple):
    """The first `limit` transactions of an order for which all terms hold; each term with its values."""

    terms: tuple[tuple[str, tuple[Any, ...]], ...]
    column: str
    descending: bool
    limit: int
    #: only those whose detail is there
    traced: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """From when to when they began, in ns; the end is one of them."""
        low, high = 0, _LARGEST
        for name, values in self.terms:
            if name.startswith("started_at >"):
                low = max(low, values[0])
            elif name.startswith(("started_at <", "started_at =")):
                high = min(high, values[0])
        return low, high

    @property
    def newest(self) -> bool:
        """Whether it is but the newest of a stretch."""
        return self.column == "started_at" and self.descending and len(self.terms) == 2 and not self.traced

    def where(self, far: Far) -> str:
        """The terms as ClickHouse is asked."""
        return " AND ".join(_said(name, values, far) for name, values in self.terms) or "1"


_SHAPE = re.compile(
    r"FROM transactions(?: x)?(?: LEFT JOIN (?:releases|processes|traces) \w ON \w\.(?:transaction_)?id = x\.\w+)*"
    r"( JOIN traces \w ON \w\.transaction_id = x\.id)?"
    r" WHERE (?P<where>.*) ORDER BY (?:x\.)?(?P<column>started_at|duration_ns) (?P<way>DESC|ASC)"
    r"(?:, (?:x\.)?id (?P=way))? LIMIT (?P<limit>\?|\d+)$",
    re.DOTALL,
)
#: The same inside of a statement that goes on with what was picked.
_INNER = re.compile(
    r"\(SELECT [^()]*? FROM transactions WHERE (?P<where>(?:(?! ORDER BY ).)*)"
    r" ORDER BY (?P<column>started_at) (?P<way>DESC) LIMIT (?P<limit>\?)\)",
    re.DOTALL,
)
_SLICES = re.compile(
    r"VALUES \(\?\) UNION ALL SELECT at \+ \? FROM slices WHERE at \+ \? < \?\)"
    r".*FROM slices CROSS JOIN transactions x WHERE .*?x\.started_at < (?:min\()?at \+ \?",
    re.DOTALL,
)
_OF_ONE = re.compile(r"WHERE x\.endpoint_id = \? AND")
_LAST = re.compile(r"^SELECT max\(started_at\) FROM transactions WHERE endpoint_id = \?$")
_SINGLE = re.compile(r"\b(?:FROM|JOIN) transactions\b")
_LIKE = r"x\.(?:path|error|context) LIKE \? ESCAPE '!'"
#: How a term is written → what it is called here; "{}" is a column.
_TERMS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\+?(endpoint|release)_id = \?", "{}_id among"),
        (r"\+?(endpoint)_id IN \(SELECT value FROM json_each\(\?\)\)", "{}_id among"),
        (r"\+?(release)_id IN \((?:\?(?:, \?)*)?\)", "{}_id among"),
        (r"\+?(endpoint|release)_id IN \((?:NULL|\d+(?:, \d+)*)\)", "{}_id in"),
        (r"((?:started_at|duration_ns|status) (?:>=|<=|>|<|=)) \?", "{}"),
        (r"(failed = 1)", "{}"),
        (r"((?:kept|rss_after) IS NOT NULL)", "{}"),
        (r"kept IS NOT 'captured'", "ifNull(kept, '') != 'captured'"),
        (rf"\(({_LIKE}(?: OR {_LIKE})*)\)".replace(r"x\.", ""), "like"),
        (r"\(((?:started_at|duration_ns), id\) [<>]) \(\?, \?\)", "({}"),
    )
)


@lru_cache(500)
def _shape(sql: str) -> tuple[tuple[tuple[str, int], ...], int, str, bool, str, bool] | None:
    """(terms with how many parameters each has, parameters before them, column, descending, limit, traced)."""
    match = _SHAPE.search(sql) or _INNER.search(sql)
    if match is None or len(_SINGLE.findall(sql)) != 1:
        return None
    terms = []
    for written in match["where"].split(" AND "):
        plain = written.replace("x.", "")
        name = next((_named(name, found) for each, name in _TERMS if (found := each.fullmatch(plain))), None)
        if name is None:
            return None
        terms.append((name, written.count("?")))
    before = sql.count("?", 0, match.start("where"))
    traced = match.re is _SHAPE and bool(match[1])
    return tuple(terms), before, match["column"], match["way"] == "DESC", match["limit"], traced


def _named(name: str, found: re.Match[str]) -> str:
    if name == "like":
        return f"like {found[1]}"
    if name.endswith(" in"):
        return f"{found[1]}_id in {found[0].partition(' IN ')[2]}"
    return name.format(*found.groups())


def picked(sql: str, parameters: Sequence[Any]) -> Picked | None:
    """What a statement picks, however many; None where it is not of that shape."""
    if _LAST.match(sql):
        return Picked((("endpoint_id among", tuple(parameters)),), "started_at", True, 1)
    slices = _SLICES.search(sql)
    if slices is not None:
        return _sliced(sql, parameters, slices)
    shape = _shape(sql)
    if shape is None:
        return None
    terms, at, column, descending, written, traced = shape
    read = []
    for name, count in terms:
        values = tuple(parameters[at : at + count])
        if name.startswith("like") and not all(isinstance(each, str) and each.isascii() for each in values):
            return None  # SQLite knows the cases of ASCII only, ClickHouse those of all letters
        read.append((name, values))
        at += count
    limit = int(parameters[at]) if written == "?" else int(written)
    return Picked(tuple(read), column, descending, limit, traced)


def _sliced(sql: str, parameters: Sequence[Any], found: re.Match[str]) -> Picked | None:
    """Slices of a window at even distances, where they are a small part of it."""
    first = sql.count("?", 0, found.start())
    start, every, _, end = (int(each) for each in parameters[first : first + 4])
    length = int(parameters[sql.count("?", 0, found.end()) - 1])
    if 2 * length > every:
        return None
    terms: list[tuple[str, tuple[Any, ...]]] = [
        ("started_at >=", (start,)), ("started_at <", (end + every,)), ("sliced", (start, every, length)),
    ]  # fmt: skip
    one = _OF_ONE.search(sql)
    if one is not None:
        terms.append(("endpoint_id among", (parameters[sql.count("?", 0, one.end()) - 1],)))
    return Picked(tuple(terms), "started_at", False, MOST_SLICED)


def _said(name: str, values: tuple[Any, ...], far: Far) -> str:
    if name.endswith(" among") or " in (" in name:
        column = name.partition(" ")[0]
        return f"{column} IN ({', '.join(map(str, _far(column, _numbers(name, values), far))) or 'NULL'})"
    if name.startswith("like "):
        columns = re.findall(r"(\w+) LIKE", name)
        likes = (
            f"{column} ILIKE {quoted(_escaped(value))}" for column, value in zip(columns, values, strict=True)
        )
        return f"({' OR '.join(likes)})"
    if name == "sliced":
        start, every, length = map(_whole, values)
        return f"(started_at - {start}) % {every} < {length}"
    if name.startswith("("):
        return f"{name} ({_whole(values[0])}, {_whole(values[1])})"
    return f"{name} {_whole(values[0])}" if values else name


def _numbers(name: str, values: tuple[Any, ...]) -> Iterator[int]:
    for value in values:
        yield from json.loads(value) if isinstance(value, str) else (int(value),)
    yield from map(int, re.findall(r"\d+", name.partition(" in ")[2]))


def _far(column: str, numbers: Iterator[int], far: Far) -> Iterator[int]:
    for number in numbers:
        found = far(f"{column.removesuffix('_id')}s", number)
        if found is not None:
            yield found


def _escaped(pattern: str) -> str:
    """A pattern of LIKE with "!" before what is meant as it stands, with a backslash there instead."""
    return re.sub(
        r"!(.)|(\\)", lambda found: "\\" + (found[1] or found[2]) if found[0] != "!!" else "!", pattern
    )


def _whole(value: Any) -> int:
    return min(max(int(value), _LEAST), _LARGEST)
