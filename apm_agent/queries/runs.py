"""What the rows of jobs' runs say that their rollups do not: how long each waited, what became of it, its rhythm."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.units import ms
from apm_agent.queries.window import Window

#: Runs looked at, newest first: of one job at most, and of all jobs of a list together.
MOST = 5000
_MOST_OF_ALL = 50_000
#: A rhythm is told of so many gaps between runs at least, if so many of them are as long as the one in the middle.
_GAPS, _STEADY, _ALIKE = 6, 0.8, 0.1


class Rhythm(NamedTuple):
    """Runs that come at a steady rhythm: how often, how far gaps are from it, how many never came."""

    every_s: float
    drift_s: float
    missed: int
    gaps: int

    def told(self) -> dict[str, Any]:
        return {
            "every_s": round(self.every_s, 3),
            "drift_ms": round(self.drift_s * 1e3, 3),
            "missed": self.missed,
            "gaps": self.gaps,
        }


class Runs(NamedTuple):
    """The newest runs of a job in a window."""

    rows: list[Row]

    @property
    def waits(self) -> list[int]:
        """How long runs waited in ns, shortest first; of those of which it is known."""
        return sorted(row[1] for row in self.rows if row[1] is not None)

    @property
    def retries(self) -> int:
        """Runs that failed and are to be tried again, which are no failures."""
        return sum(row[2] == "retry" for row in self.rows)

    @property
    def reruns(self) -> int:
        """Runs that were a second or later try."""
        return sum(_tries(row[3]) > 0 for row in self.rows)

    @property
    def rhythm(self) -> Rhythm | None:
        """None where runs come at no steady rhythm, or too few are there to tell."""
        return rhythm([row[0] for row in reversed(self.rows) if not _tries(row[3])])


def runs(
    connection: Connection,
    window: Window,
    releases: tuple[int, ...] | None,
    jobs: Collection[int],
    most: int = 0,
) -> dict[int, Runs]:
    """The newest runs of each job; of many jobs fewer of each."""
    most = most or max(100, min(MOST, _MOST_OF_ALL // max(1, len(jobs))))
    only = "" if releases is None else f" AND release_id IN ({', '.join('?' * len(releases))})"
    sql = (
        "SELECT started_at, queue_ns,"
        " CASE WHEN instr(context, '\"outcome\"') THEN json_extract(context, '$.outcome') END,"
        " CASE WHEN instr(context, '\"retries\"') THEN json_extract(context, '$.retries') END,"
        " CASE WHEN instr(context, '\"queue\"') THEN json_extract(context, '$.queue') END,"
        " CASE WHEN instr(context, '\"enqueued_by\"') THEN json_extract(context, '$.enqueued_by') END,"
        " id, failed"
        f" FROM transactions WHERE endpoint_id = ? AND started_at >= ? AND started_at < ?{only}"
        " ORDER BY started_at DESC LIMIT ?"
    )
    return {
        job: Runs(connection.rows(sql, (job, window.start_ns, window.end_ns, *(releases or ()), most)))
        for job in jobs
    }


def rank(ordered: Sequence[int], share: float) -> int | None:
    """The value so far up in an ascending list; None of an empty one."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def waited(ordered: Sequence[int]) -> dict[str, Any]:
    """The figures of waits, shortest first."""
    return {
        "count": len(ordered),
        "p50_ms": ms(rank(ordered, 0.5)),
        "p95_ms": ms(rank(ordered, 0.95)),
        "max_ms": ms(ordered[-1]) if ordered else None,
    }


def rhythm(starts: Sequence[int]) -> Rhythm | None:
    """What the starts of runs, in ns and oldest first, say of how regularly they come.

    By chance alone, as customers come, one gap in fourteen is within a tenth of the one in the middle.
    """
    gaps = [(after - before) / 1e9 for before, after in pairwise(starts)]
    if len(gaps) < _GAPS:
        return None
    every = median(gaps)
    if every < 1:
        return None
    off = sorted(abs(gap - max(1, round(gap / every)) * every) for gap in gaps)
    if sum(abs(gap - every) <= _ALIKE * every for gap in gaps) < _STEADY * len(gaps):
        return None
    missed = sum(max(0, round(gap / every) - 1) for gap in gaps)
    return Rhythm(every, off[min(len(off) - 1, int(0.95 * len(off)))], missed, len(gaps))


def _tries(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
