"""Endpoints whose calls run at two speeds: two modes in the latency histogram with a clear valley between them.

The histogram is read on a logarithmic scale in steps of half an octave (41 %), laid twice so that neither a mode nor
a valley is missed for lying on an edge. If the density there had one mode
only, no step could hold less than both a step below and a step above it. So for a valley and a peak on either side the
chance of so few calls in the valley is bounded (Hoeffding 1963) for each peak, and the larger of the two bounds counts
(an intersection-union test: Berger, "Multiparameter Hypothesis Testing and Acceptance Sampling", Technometrics 24,
1982). It is multiplied by the number of all choices of a valley and two peaks, so that whatever the one mode looks
like, two speeds are told of it by chance no more often than `SURE` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from apm_agent.model.histogram import SCALE, Histogram, edge
from apm_agent.queries.connection import Connection
from apm_agent.queries.contrast import contrast
from apm_agent.queries.finding import Finding, close_look
from apm_agent.queries.phrases import duration
from apm_agent.queries.rollups import Measured
from apm_agent.queries.significance import fewer_than_half
from apm_agent.queries.units import millis
from apm_agent.queries.window import Window

#: Calls in the window, at least, and the share of them that the faster and the slower ones have: a few that are
#: fast (refused, answered from a cache) tell nothing of how fast the others could be.
CALLS, FASTER, SLOWER = 100, 0.2, 0.05
#: A valley holds at most so much of the lower peak.
VALLEY = 0.25
#: The slower speed is so many times, and by so much, slower.
TIMES, SLOWER_NS = 2.0, 5_000_000
#: The chance that there is one mode only, at most.
SURE = 1e-4
#: Buckets of the histogram in an octave, and in half a step.
_PER_OCTAVE = 2**SCALE
_HALF = _PER_OCTAVE // 4
#: Ways to choose a valley and a step on either side of it, of all steps below 2^63 ns, in both phases.
_CHOICES = 2 * math.comb(63 * _PER_OCTAVE // (2 * _HALF), 3)
#: Endpoints looked at closely: the transactions of each are read.
_MOST = 8


class Speeds(NamedTuple):
    """Two modes: where the valley is, and the calls and the median of each."""

    border: int
    """the first bucket of the slower ones"""
    fast: int
    fast_ns: int
    slow: int
    slow_ns: int
    valley: float
    """calls in the valley, of those in the lower peak"""
    chance: float

    @property
    def share(self) -> float:
        """Of the slower ones."""
        return self.slow / (self.fast + self.slow)

    @property
    def cost_ns(self) -> int:
        """What the slower ones take longer, all together."""
        return self.slow * (self.slow_ns - self.fast_ns)


def split(histogram: Histogram) -> Speeds | None:
    """The two speeds of a latency histogram; None where there is one, or no two that are worth a word."""
    counts = histogram.counts
    whole = sum(counts.values())
    if whole < CALLS:
        return None
    first = next(iter(counts)) // _HALF
    halves = [0] * (next(reversed(counts)) // _HALF - first + 1)
    for bucket, count in counts.items():
        halves[bucket // _HALF - first] += count
    valleys = [found for phase in (0, 1) if (found := _valley(halves, phase)) is not None]
    if not valleys:
        return None
    middle, share, chance = min(valleys, key=lambda found: found[2])
    border = (first + middle) * _HALF
    slow = sum(count for bucket, count in counts.items() if bucket >= border)
    if not SLOWER <= slow / whole <= 1 - FASTER:
        return None
    fast_ns, slow_ns = (
        _median({bucket: count for bucket, count in counts.items() if (bucket >= border) == slower})
        for slower in (False, True)
    )
    if slow_ns < TIMES * fast_ns or slow_ns - fast_ns < SLOWER_NS:
        return None
    return Speeds(border, whole - slow, fast_ns, slow, slow_ns, share, chance)


def _median(counts: dict[int, int]) -> int:
    histogram = Histogram()
    histogram.fill(counts)
    return histogram.quantile(0.5) or 0


def _valley(halves: Sequence[int], phase: int) -> tuple[int, float, float] | None:
    """The surest valley: the half step in its middle, its part of the lower peak, and the chance that there is none.

    Steps are laid from the first half step on, or, in the other phase, from the one before it.
    """
    padded = [0] * phase + [*halves, 0]
    steps = [padded[at] + padded[at + 1] for at in range(0, len(padded) - 1, 2)]
    after = [0] * (len(steps) + 1)
    for at in range(len(steps) - 1, 0, -1):
        after[at] = max(after[at + 1], steps[at])
    before, lowest, found = 0, 1.0, None
    for at, count in enumerate(steps):
        peak = min(before, after[at + 1])
        before = max(before, count)
        # The bound falls with the distance of the two: the lower peak's is the larger.
        if count <= VALLEY * peak:
            chance = fewer_than_half(count, count + peak)
            if chance < lowest:
                lowest, found = chance, (at, count / peak)
    chance = lowest * _CHOICES
    if found is None or chance >= SURE:
        return None
    at, share = found
    return 2 * at + 1 - phase, share, chance


def two_speeds(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, measured: Mapping[int, Measured]
) -> list[Finding]:
    """A finding for each endpoint that runs at two speeds, those first where it costs most."""
    found: dict[int, Speeds] = {}
    for at, each in measured.items():
        if each.sums.count < CALLS:
            continue  # not worth remembering, where there are thousands of endpoints
        speeds = close_look(connection, window, ("split", at, releases), partial(split, each.histogram))
        if speeds is not None:
            found[at] = speeds
    costliest = sorted(found, key=lambda at: -found[at].cost_ns)
    made = [
        close_look(
            connection,
            window,
            ("two_speeds", at, releases),
            partial(_finding, connection, window, releases, at, found[at]),
        )
        for at in costliest[:_MOST]
    ]
    return [each for each in made if each is not None]


def _finding(
    connection: Connection, window: Window, releases: tuple[int, ...] | None, at: int, speeds: Speeds
) -> Finding:
    differ = contrast(connection, window, releases, at, edge(speeds.border))
    told = (
        f"{speeds.share * 100:.0f} % of the calls take about {duration(speeds.slow_ns)}, "
        f"the others about {duration(speeds.fast_ns)}"
    )
    return Finding(
        endpoint=at,
        kind="two_speeds",
        statement_id=0,
        statement=None,
        frame=None,
        transactions=speeds.slow,
        count=speeds.slow,
        cost_ns=speeds.cost_ns,
        cost_bytes=0,
        text="; ".join([told, *(each.phrase for each in differ.differences)]),
        example=differ.example,
        figures={
            "slow": {
                "calls": speeds.slow,
                "share": round(speeds.share, 6),
                "typical_ms": millis(speeds.slow_ns),
            },
            "fast": {
                "calls": speeds.fast,
                "share": round(1 - speeds.share, 6),
                "typical_ms": millis(speeds.fast_ns),
            },
            "border_ms": millis(edge(speeds.border)),
            "valley": round(speeds.valley, 6),
            "p_value": float(f"{speeds.chance:.3g}"),
            "differ": [each.told() for each in differ.differences],
        },
    )
