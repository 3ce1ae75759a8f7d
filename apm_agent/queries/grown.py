"""What grew in an endpoint from one release to another: the statement or the function a comparison names."""

from __future__ import annotations

import math
from typing import NamedTuple

from apm_agent.model.profile import Frame
from apm_agent.model.statement import summary
from apm_agent.queries import names
from apm_agent.queries.connection import Connection
from apm_agent.queries.difference import functions
from apm_agent.queries.phrases import duration
from apm_agent.queries.profile import Profiled, of_window
from apm_agent.queries.scope import select
from apm_agent.queries.window import Window

#: What grew must make up so much of the whole change.
_MOSTLY = 0.5
#: A function grew if its time a call is so many standard deviations above what it was.
_SURE = 3.0
#: The profiles must tell of so much of the time of either release, or they are no longer kept of all of it.
_KNOWN = 0.5
_HOUR = 3600


class Grown(NamedTuple):
    """A statement or a function, by how much its time grew a call, and its line."""

    what: str
    name: str
    change_ms: float
    frame: Frame | None
    statement_id: int = 0
    statement: str | None = None

    @property
    def phrase(self) -> str:
        return f"{self.name} takes {duration(self.change_ms * 1e6)} more"


class Run(NamedTuple):
    """The calls of one release in a window, and the mean of them."""

    window: Window
    release: int
    calls: int
    mean_ns: float


def grown(connection: Connection, endpoint: int, before: Run, after: Run) -> Grown | None:
    """The statement, or else the function of the user's own code, that most of the change is of; None if none is."""
    least = _MOSTLY * (after.mean_ns - before.mean_ns)
    return _statement(connection, endpoint, before, after, least) or _function(
        connection, endpoint, before, after, least
    )


def _statement(
    connection: Connection, endpoint: int, before: Run, after: Run, least_ns: float
) -> Grown | None:
    sums = [_ran(connection, endpoint, run) for run in (before, after)]
    changes = {at: sums[1][at][0] / after.calls - sums[0].get(at, (0, 0))[0] / before.calls for at in sums[1]}
    if not changes:
        return None
    most = max(changes, key=lambda at: changes[at])
    text = names.statements(connection, {most}).get(most)
    if changes[most] < least_ns or text is None:
        return None
    frame = names.frames(connection, {sums[1][most][1]}).get(sums[1][most][1])
    return Grown("statement", summary(text), changes[most] / 1e6, frame, most, text)


def _ran(connection: Connection, endpoint: int, run: Run) -> dict[int, tuple[int, int]]:
    """Nanoseconds of each statement, and the frame that most of them were asked from."""
    columns = "statement_id, frame_id, duration_ns"
    sql, parameters = select("statement_rollups", columns, run.window.pieces(), (run.release,), endpoint)
    rows = connection.rows(
        f"SELECT statement_id, frame_id, sum(duration_ns) FROM ({sql}) GROUP BY 1, 2 ORDER BY 3", parameters
    )
    found: dict[int, tuple[int, int]] = {}
    for statement, frame, ns in rows:  # the longest last
        found[statement] = found.get(statement, (0, 0))[0] + ns, frame
    return found


def _function(
    connection: Connection, endpoint: int, before: Run, after: Run, least_ns: float
) -> Grown | None:
    """The innermost of those that grew enough: what calls it grew as much."""
    sides = [_profiled(connection, endpoint, run) for run in (before, after)]
    for side, run in zip(sides, (before, after), strict=True):
        if not side.transactions or side.total_ns / side.transactions < _KNOWN * run.mean_ns:
            return None
    rows = [
        row
        for row in functions(sides[:1], sides[1:], thin=False)
        if row["category"] == "app"
        and row["total_change_ms"] * 1e6 >= least_ns
        and (row["total_sureness"] or 0.0) >= _SURE
    ]
    if not rows:
        return None
    row = min(rows, key=lambda row: row["after"]["total_ms"])
    frame = Frame(row["function"], row["file"], row["line"], row["category"])
    return Grown("function", f"{row['function']}()", row["total_change_ms"], frame)


def _profiled(connection: Connection, endpoint: int, run: Run) -> Profiled:
    """Samples and calls of whole hours: profiles are kept by ten minutes, and an hour later by hours."""
    start, end = run.window.start // _HOUR * _HOUR, math.ceil(run.window.end / _HOUR) * _HOUR
    return of_window(connection, run.window._replace(start=start, end=end), [endpoint], (run.release,))
