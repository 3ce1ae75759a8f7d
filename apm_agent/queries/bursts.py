"""Endpoints that began to fail more often than they did before: in the recent part of a window, beyond chance.

The recent part is the last 24th, 12th or 6th of the window, whichever speaks clearest; the rest is before. The test is
Fisher's exact one, corrected (Bonferroni) for the three looks. Failures come in clusters, which would make it too sure:
if the failure rate before scatters more between cells as long as the recent part than chance does, all counts are
divided by how much more (quasi-binomial dispersion: McCullagh and Nelder, "Generalized Linear Models", 1989, 4.5).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from operator import add
from typing import Any, NamedTuple

from apm_agent.model.profile import Frame
from apm_agent.queries import names
from apm_agent.queries.connection import Connection
from apm_agent.queries.failures import failed, told
from apm_agent.queries.finding import Finding, close_look
from apm_agent.queries.rollups import Measured
from apm_agent.queries.scope import select
from apm_agent.queries.settled import settled
from apm_agent.queries.significance import more_often
from apm_agent.queries.units import hex_id
from apm_agent.queries.window import ROLLUPS, Window, cover

#: Failures in the recent part, and calls before it, at least.
FAILURES, CALLS = 10, 30
#: The rate of failures now, at least: of all calls, and of the rate before.
RATE, TIMES = 0.01, 2.0
#: The chance that nothing changed, at most. Of a hundred endpoints one is then told wrongly in a hundred windows.
SURE = 1e-4
_PARTS = (24, 12, 6)
_GRAVE = 0.1
_HOUR = 3600
#: Endpoints looked at closely, those first that failed most, and failed transactions unpacked of each.
_MOST, _MOST_ROWS = 10, 50


#: (endpoint, parts that began by then) → calls, failures, ns
_Sums = dict[tuple[int, int], tuple[int, int, int]]
_NONE = (0, 0, 0)


class _Recent(NamedTuple):
    """Calls and failures of an endpoint from a time on, and before it in the window."""

    start: int
    calls: int
    failures: int
    duration_ns: int
    calls_before: int
    failures_before: int

    @property
    def rate(self) -> float:
        return self.failures / self.calls

    @property
    def rate_before(self) -> float:
        return self.failures_before / self.calls_before

    def chance(self, scatter: float = 1.0) -> float:
        """That it fails no more often than before; 1 where there are too few, or it is no more of note."""
        if (
            self.failures < FAILURES
            or self.calls_before < CALLS
            or self.rate < max(RATE, TIMES * self.rate_before)
        ):
            return 1.0
        counts = (self.failures, self.calls, self.failures_before, self.calls_before)
        return min(1.0, len(_PARTS) * more_often(*(math.floor(count / scatter) for count in counts)))


def bursts(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, measured: Mapping[int, Measured]
) -> list[Finding]:
    """A finding for each endpoint whose failures rose."""
    failing = {at: each for at, each in measured.items() if each.sums.errors >= FAILURES}
    if not failing:
        return []
    only = next(iter(failing)) if len(failing) == 1 else None
    recent = _recent(connection, window, releases, failing, only)
    clearest = [
        (at, best)
        for at, looks in recent.items()
        for best in [min(looks, key=lambda look: (look.chance(), look.start))]
        if best.chance() < SURE
    ]
    clearest.sort(key=lambda each: -each[1].failures)
    made = [
        close_look(
            connection,
            window,
            ("error_burst", at, look.start, releases),
            partial(_finding, connection, window, releases, at, look),
        )
        for at, look in clearest[:_MOST]
    ]
    return [each for each in made if each is not None]


def _recent(
    connection: Connection,
    window: Window,
    releases: tuple[int, ...] | None,
    failing: Mapping[int, Measured],
    only: int | None,
) -> dict[int, list[_Recent]]:
    """The looks at each endpoint; what lies before is what the window has and the recent part has not."""
    unit = window.unit()
    starts = sorted({int(window.end - window.seconds / part) // unit * unit for part in _PARTS})
    end = int(window.end) // unit * unit + unit if window.open else math.ceil(window.end)

    def read(start_ns: int, end_ns: int) -> _Sums:
        edges = [start_ns // 10**9, *starts, min(end_ns // 10**9, end)]
        borders = sorted({edge for edge in edges if edges[0] <= edge <= edges[-1]})
        pieces = [piece for low, high in pairwise(borders) for piece in cover(low, high, ROLLUPS)]
        sql, parameters = select(
            "rollups", "endpoint_id, t, count, errors, duration_ns", pieces, releases, only
        )
        slices = " + ".join(f"(t >= {start})" for start in starts)
        rows = connection.rows(
            f"SELECT endpoint_id, {slices}, sum(count), sum(errors), sum(duration_ns) FROM ({sql}) GROUP BY 1, 2",
            parameters,
        )
        return {(at, slice_): (count, errors, ns) for at, slice_, count, errors, ns in rows}

    span = Window(starts[0], window.end, None, window.open)
    key = ("bursts", *starts, releases)
    sums = (
        settled(connection, span, key, read, _added, _HOUR)
        if only is None
        else read(span.start_ns, span.end_ns)
    )
    looks: dict[int, list[_Recent]] = defaultdict(list)
    for at, each in failing.items():
        whole, calls, failures, duration = each.sums, 0, 0, 0
        for slice_ in range(len(starts), 0, -1):
            more = sums.get((at, slice_), _NONE)
            calls, failures, duration = calls + more[0], failures + more[1], duration + more[2]
            if failures >= FAILURES:
                # What was written between the two statements is in the recent part alone.
                before = max(0, whole.count - calls), max(0, whole.errors - failures)
                looks[at].append(_Recent(starts[slice_ - 1], calls, failures, duration, *before))
    return looks


def _added(one: _Sums, other: _Sums) -> _Sums:
    return one | {key: tuple(map(add, one.get(key, _NONE), more)) for key, more in other.items()}


def _finding(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, at: int, look: _Recent
) -> Finding | None:
    chance = look.chance(_scatter(connection, window, releases, at, look))
    if chance >= SURE:
        return None
    error = _main_error(connection, window, releases, at, look.start)
    more = max(0.0, look.failures - look.rate_before * look.calls)
    minutes = round((window.end - look.start) / 60)
    return Finding(
        endpoint=at,
        kind="error_burst",
        statement_id=0,
        statement=None,
        frame=error.frame if error else None,
        transactions=look.failures,
        count=look.failures,
        cost_ns=round(more * look.duration_ns / look.calls),
        cost_bytes=0,
        text=f"{_percent(look.rate)} of the calls fail in the last {_long(minutes)}, "
        f"{_percent(look.rate_before)} before" + (f": {error.type}" if error else ""),
        example=error.example if error else 0,
        figures={
            "since": float(look.start),
            "calls": look.calls,
            "failures": look.failures,
            "rate": round(look.rate, 6),
            "calls_before": look.calls_before,
            "failures_before": look.failures_before,
            "rate_before": round(look.rate_before, 6),
            "p_value": float(f"{chance:.3g}"),
            "error": error.told() if error else None,
        },
        grave="bad" if look.rate >= _GRAVE else "warn",
    )


def _scatter(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, at: int, look: _Recent
) -> float:
    """How many times as much the rate before scatters as chance alone would have it; at least once."""
    unit = window.unit()
    size = max(unit, int(window.end - look.start) // unit * unit)
    first = window.start // unit * unit
    sql, parameters = select("rollups", "t, count, errors", [(unit, first, look.start)], releases, at)
    cells: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for t, calls, failures in connection.rows(sql, parameters):
        cell = cells[(look.start - 1 - t) // size]
        cell[0] += calls
        cell[1] += failures
    calls, failures = (sum(cell[column] for cell in cells.values()) for column in (0, 1))
    rate = failures / calls if calls else 0.0
    if len(cells) < 2 or not 0 < rate < 1:
        return 1.0
    squares = sum((failed - n * rate) ** 2 / (n * rate * (1 - rate)) for n, failed in cells.values() if n)
    return max(1.0, squares / (len(cells) - 1))


class _Error(NamedTuple):
    """The most frequent error among the newest failures, and the line of most of its kind."""

    type: str
    message: str | None
    frame: Frame | None
    often: int
    of: int
    example: int

    def told(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "message": self.message,
            "where": names.where(self.frame),
            "count": self.often,
            "of": self.of,
            "trace": hex_id(self.example) if self.example else None,
        }


def _main_error(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, at: int, start: int
) -> _Error | None:
    """None where the rows are no longer kept."""
    recent = Window(start, window.end, None, window.open)
    rows = failed(connection, recent, releases, _MOST_ROWS, at)
    seen = [(*told(row), row) for row in rows]
    if not seen:
        return None
    kind, count = Counter(each[0] for each in seen).most_common(1)[0]
    alike = [each for each in seen if each[0] == kind]
    placed: list[tuple[int, int]] = [
        (detail["frame_id"], row[0]) for *_, detail, row in alike if detail and detail.get("frame_id")
    ]
    frame = Counter(each for each, _ in placed).most_common(1)[0][0] if placed else 0
    return _Error(
        kind,
        next((message for _, message, *_ in alike if message), None),
        names.frames(connection, {frame}).get(frame),
        count,
        len(seen),
        next((number for each, number in placed if each == frame), 0),
    )


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.095 or share == 0 else f"{share * 100:.1f} %"


def _long(minutes: int) -> str:
    return f"{max(1, minutes)} min" if minutes < 120 else f"{minutes / 60:.0f} h"
