"""What an endpoint's slower transactions have in common that the faster ones have not, as far as it is recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.phrases import duration
from apm_agent.queries.significance import more_often
from apm_agent.queries.units import kinds
from apm_agent.queries.window import Window

#: Newest transactions looked at, and how many there must be of each speed.
_MOST_ROWS, _ENOUGH = 1000, 20
#: A status, release or worker tells them apart if so many of each speed are on its side, and not by chance.
_APART, _SURE = 0.9, 1e-4
#: A kind of time makes the difference if so much of it is of that kind.
_MOSTLY = 0.5
#: More values than that of one thing are as good as its being different each time; named are only a few.
_MOST_VALUES, _NAMED = 20, 3
_STATUS, _RELEASE, _WORKER = 1, 2, 3


class Difference(NamedTuple):
    """One thing they differ in: values for a status, release or worker, mean ms a call for a kind of time."""

    what: str
    slow: list[str] | float
    fast: list[str] | float
    phrase: str

    def told(self) -> dict[str, Any]:
        return {"what": self.what, "slow": self.slow, "fast": self.fast}


class Contrast(NamedTuple):
    """All they differ in, and a slower one whose detail is kept (0: none)."""

    differences: list[Difference]
    example: int


def contrast(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, endpoint: int, border_ns: float
) -> Contrast:
    """The newest transactions longer than `border_ns` against the newest others."""
    only = "" if releases is None else f" AND x.release_id IN ({', '.join('?' * len(releases))})"
    rows = connection.rows(
        "SELECT x.duration_ns, x.status, r.version, p.host || ':' || p.pid, x.db_ns, x.http_ns, x.template_ns,"
        " x.cache_ns, x.wait_ns, x.gc_ns, x.id, x.kept FROM transactions x"
        " LEFT JOIN releases r ON r.id = x.release_id LEFT JOIN processes p ON p.id = x.process_id"
        f" WHERE x.endpoint_id = ? AND x.started_at >= ? AND x.started_at < ?{only}"
        " ORDER BY x.started_at DESC LIMIT ?",
        (endpoint, window.start_ns, window.end_ns, *(releases or ()), _MOST_ROWS),
    )
    slow, fast = ([row for row in rows if (row[0] > border_ns) == slower] for slower in (True, False))
    kept = sorted((row for row in slow if row[-1] is not None), key=lambda row: row[0])
    example = kept[len(kept) // 2][-2] if kept else 0
    if min(len(slow), len(fast)) < _ENOUGH:
        return Contrast([], example)
    found = [_time(slow, fast), _values("status", _STATUS, slow, fast)]
    release = _values("release", _RELEASE, slow, fast)
    # A process runs one release: where releases differ, so do workers, and it says no more.
    found.append(release or _values("worker", _WORKER, slow, fast))
    return Contrast([each for each in found if each is not None], example)


def _time(slow: Sequence[Row], fast: Sequence[Row]) -> Difference | None:
    """The kind of time that most of the difference is of."""
    more, less = _means(slow), _means(fast)
    whole = sum(row[0] for row in slow) / len(slow) - sum(row[0] for row in fast) / len(fast)
    kind = max(more, key=lambda each: more[each] - less[each])
    grown = (more[kind] - less[kind]) * 1e6
    if grown < _MOSTLY * whole:
        return None
    part, all_of = duration(grown), duration(whole)
    phrase = f"the {all_of} more is {kind}" if part == all_of else f"{part} of the {all_of} more is {kind}"
    return Difference(kind, round(more[kind], 3), round(less[kind], 3), phrase)


def _means(rows: Sequence[Row]) -> dict[str, float]:
    sums = [sum(row[column] for row in rows) for column in (0, *range(4, 10))]
    return {kind: value / len(rows) for kind, value in kinds(sums[0], sums[1:], 0).items() if kind != "queue"}


def _values(what: str, column: int, slow: Sequence[Row], fast: Sequence[Row]) -> Difference | None:
    """The values that go with the slower ones, if those that do tell nearly all of both apart."""
    slower, faster = (Counter(row[column] for row in rows) for rows in (slow, fast))
    values = {**slower, **faster}
    if not 1 < len(values) <= _MOST_VALUES:
        return None
    going = [value for value in values if slower[value] * len(fast) > faster[value] * len(slow)]
    hits, misses = sum(slower[each] for each in going), sum(faster[each] for each in going)
    if (
        hits < _APART * len(slow)
        or misses > (1 - _APART) * len(fast)
        or more_often(hits, len(slow), misses, len(fast)) >= _SURE
    ):
        return None
    named = [
        [_named(value) for value, _ in counted.most_common() if (value in going) == slowly]
        for counted, slowly in ((slower + faster, True), (slower + faster, False))
    ]
    phrase = f"{what} {_listed(named[0])} where the others have {_listed(named[1])}"
    return Difference(what, named[0], named[1], phrase)


def _named(value: object) -> str:
    return "none" if value in {None, ""} else str(value)[:60]


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _NAMED
    return ", ".join(values[:_NAMED]) + (f" and {more} more" if more > 0 else "")
