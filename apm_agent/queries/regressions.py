"""Endpoints that are slower since a release: its first window of calls against those of the release before.

Compared are the newest release of the window (or the one asked for) and the one first seen before it, each over as
long as the window: the calls of the newer one in the window, those of the older one up to the moment the newer one was
first seen. The change is that of the mean; the test and the 95 % interval are Welch's. How well a mean is known is
taken from how it scatters between minutes (hours in windows of a day and more), and from the histogram as if calls were
independent; the larger of both counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from apm_agent.model.histogram import Histogram, middle
from apm_agent.queries import names
from apm_agent.queries.compare import ENOUGH
from apm_agent.queries.connection import Connection
from apm_agent.queries.finding import Finding, close_look
from apm_agent.queries.grown import Run, grown
from apm_agent.queries.phrases import duration
from apm_agent.queries.rollups import Measured
from apm_agent.queries.scope import select
from apm_agent.queries.significance import Mean, change, ratio
from apm_agent.queries.summed import summed
from apm_agent.queries.units import millis
from apm_agent.queries.window import Window

#: Slower by so much of the mean before, and by so much a call, at least.
SHARE, SLOWER_NS = 0.1, 1_000_000
#: The chance that it is no slower, at most.
SURE = 1e-4
#: Endpoints looked at closely, those first that take most time more; of fewer it is asked what grew.
_MOST, _ASKED = 10, 4


class _Pair(NamedTuple):
    """Two releases of one service in a row, and the times each is looked at."""

    before: int
    before_version: str
    after: int
    after_version: str
    earlier: Window
    later: Window


class _Slower(NamedTuple):
    endpoint: int
    pair: _Pair
    before: Run
    after: Run

    @property
    def change_ns(self) -> float:
        return self.after.mean_ns - self.before.mean_ns

    @property
    def cost_ns(self) -> float:
        return self.change_ns * self.after.calls


def regressions(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, measured: Mapping[int, Measured]
) -> list[Finding]:
    """A finding for each endpoint that a release made slower, those first where it costs most."""
    suspects = [
        each
        for pair in _pairs(connection, window, releases)
        for each in _suspects(connection, pair, measured)
    ]
    suspects.sort(key=lambda each: -each.cost_ns)
    made = [
        close_look(
            connection,
            window,
            ("regression", each.endpoint, each.pair.before, each.pair.after, rank < _ASKED),
            partial(_finding, connection, each, rank < _ASKED),
        )
        for rank, each in enumerate(suspects[:_MOST])
    ]
    return [each for each in made if each is not None]


def _pairs(connection: Connection, window: Window, releases: tuple[int, ...] | None) -> list[_Pair]:
    rows = connection.rows(
        "SELECT service, id, version, first_seen FROM releases WHERE version != '' AND first_seen < ?"
        " ORDER BY service, first_seen, id",
        (window.end_ns,),
    )
    latest: dict[str, tuple[Any, Any]] = {}
    for older, newer in pairwise(rows):
        if older[0] == newer[0] and (releases is None or newer[1] in releases):
            latest[newer[0]] = older, newer
    made = []
    for older, newer in latest.values():
        seen = newer[3] / 1e9
        unit = max(window.unit(), Window(int(seen - window.seconds), seen, None, False).unit())
        start = math.floor((seen - window.seconds) / unit) * unit
        earlier = Window(start, math.ceil(seen / unit) * unit, None, False)
        made.append(_Pair(older[1], older[2], newer[1], newer[2], earlier, window))
    return made


def _suspects(connection: Connection, pair: _Pair, measured: Mapping[int, Measured]) -> list[_Slower]:
    """Those whose mean is so much higher, whether or not by chance."""
    only = next(iter(measured)) if len(measured) == 1 else None
    after = _calls(connection, pair.later, pair.after, only)
    before = _calls(connection, pair.earlier, pair.before, only) if after else {}
    found = (
        _Slower(at, pair, before[at], each)
        for at, each in after.items()
        if at in measured and at in before and min(each.calls, before[at].calls) >= ENOUGH
    )
    return [each for each in found if each.change_ns >= max(SHARE * each.before.mean_ns, SLOWER_NS)]


def _calls(connection: Connection, window: Window, release: int, only: int | None) -> dict[int, Run]:
    """Of the endpoints with calls enough."""
    sums = ("count", "duration_ns")
    rows = summed(connection, window, "rollups", ("endpoint_id",), sums, (release,), only)
    return {at: Run(window, release, count, total / count) for at, count, total in rows if count >= ENOUGH}


def _mean(connection: Connection, endpoint: int, run: Run) -> Mean:
    """The mean of a run, with the larger of the two variances."""
    unit = run.window.unit()
    span = (unit, run.window.start // unit * unit, math.ceil(run.window.end / unit) * unit)
    columns = "count, duration_ns, histogram"
    sql, parameters = select("rollups", columns, [span], (run.release,), endpoint)
    rows = connection.rows(sql, parameters)
    whole = Histogram()
    for *_, histogram in rows:
        whole.merge_bytes(histogram)
    alone = _independent(whole)
    scattered = ratio([(count, ns) for count, ns, _ in rows])
    return scattered if scattered is not None and scattered.variance > alone.variance else alone


def _independent(whole: Histogram) -> Mean:
    """The mean of calls that have nothing to do with each other."""
    counts = whole.counts
    count = sum(counts.values())
    mean = sum(n * middle(bucket) for bucket, n in counts.items()) / max(1, count)
    squares = math.fsum(n * (middle(bucket) - mean) ** 2 for bucket, n in counts.items())
    return Mean(mean, squares / max(1, count - 1) / max(1, count), max(1, count - 1))


def _finding(connection: Connection, slower: _Slower, asked: bool) -> Finding | None:
    before, after = (
        # The edges of the cells may reach over those of the window: they say how it scatters, not what it is.
        _mean(connection, slower.endpoint, run)._replace(value=run.mean_ns)
        for run in (slower.before, slower.after)
    )
    sure = change(before, after)
    if sure.chance >= SURE:
        return None
    pair = slower.pair
    cause = grown(connection, slower.endpoint, slower.before, slower.after) if asked else None
    text = (
        f"{duration(slower.after.mean_ns)} a call since {pair.after_version[:40]},"
        f" {duration(sure.low)} to {duration(sure.high)} more than in {pair.before_version[:40]}"
    )
    frame = cause.frame if cause else None
    return Finding(
        endpoint=slower.endpoint,
        kind="regression",
        statement_id=cause.statement_id if cause else 0,
        statement=cause.statement if cause else None,
        frame=frame,
        transactions=slower.after.calls,
        count=slower.after.calls,
        cost_ns=round(slower.cost_ns),
        cost_bytes=0,
        text=text + (f": {cause.phrase}" if cause else ""),
        example=0,
        figures={
            "release": pair.after_version,
            "release_before": pair.before_version,
            "before": {"calls": slower.before.calls, "mean_ms": millis(slower.before.mean_ns)},
            "after": {"calls": slower.after.calls, "mean_ms": millis(slower.after.mean_ns)},
            "change_ms": millis(sure.value),
            "low_ms": millis(sure.low),
            "high_ms": millis(sure.high),
            "p_value": float(f"{sure.chance:.3g}"),
            "grown": {
                "what": cause.what,
                "name": cause.name,
                "change_ms": round(cause.change_ms, 3),
                "where": names.where(frame),
            }
            if cause
            else None,
        },
    )
