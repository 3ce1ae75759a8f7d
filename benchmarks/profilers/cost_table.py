"""The second table: what each profiler makes of the time a program takes, on the wall and of the processor."""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from typing import NamedTuple

from child import BATCHES
from starting import Child, Spy, child

#: Of the processor, at 100 looks a second.
ALLOWED = 1.01
RATES = (10, 100, 250)


class Case(NamedTuple):
    """A profiler at a rate; 0 where it has none."""

    watch: str
    rate: int

    @property
    def title(self) -> str:
        return f"{self.watch} {self.rate}/s" if self.rate else self.watch


_LOOKING = ("ours", "py-spy", "py-spy --nonblocking", "pyinstrument")
CASES = [Case("none", 0), *(Case(watch, rate) for watch in _LOOKING for rate in RATES)]
CASES += [Case(watch, 0) for watch in ("yappi wall", "yappi cpu", "cProfile")]


#: Two processes that run the same code differ by some percent for life: with and without are compared within one, and
#: each set of turns has processes of its own.
_SETS = 5
#: Those that cost multiples take part in every fourth turn only.
_HEAVY = ("pyinstrument", "yappi wall", "yappi cpu", "cProfile")


class Taken(NamedTuple):
    """What a batch took."""

    wall: float
    cpu: float


def turn(case: Case, working: Child) -> Taken:
    """One batch under the profiler."""
    if not case.watch.startswith("py-spy"):
        return _batch(working, "with")
    spy = Spy(working.process.pid, case.rate, case.watch == "py-spy")
    try:
        before = spy.cpu()
        took = _batch(working, "with")
        return Taken(took.wall, took.cpu + spy.cpu() - before)
    finally:
        spy.end()


def _batch(working: Child, how: str) -> Taken:
    working.go(how)
    said = working.hear()
    return Taken(said["wall"], said["cpu"])


def show(options: argparse.Namespace) -> int:
    """Print it; how many breaches there are."""
    cases = [case for case in CASES if not options.watch or case.watch in ("none", "ours", *options.watch)]
    breaches = []
    for workload in BATCHES:
        ratios: dict[Case, list[Taken]] = {case: [] for case in cases}
        looks: dict[Case, list[float]] = {case: [] for case in cases if case.watch == "ours"}
        for number in range(_SETS):
            measure(workload, max(1, options.turns // _SETS), options.seed + number, ratios, looks)
        _tell(workload, ratios, looks)
        cpu = statistics.median(taken.cpu for taken in ratios[Case("ours", 100)])
        if cpu > ALLOWED:
            breaches.append(f"{workload} ({cpu:.3f})")
    found = "; ".join(breaches) or "nowhere"
    print(f"\nOurs at 100 looks a second takes more than {ALLOWED} times the processor: {found}")
    return len(breaches)


def measure(
    workload: str, turns: int, seed: int, ratios: dict[Case, list[Taken]], looks: dict[Case, list[float]]
) -> None:
    """Turns of all cases, each with its profiler and without."""
    with ExitStack() as stack:

        def started(watch: str, rate: int) -> Child:
            given = ("--rate", str(rate or 100), "--budget", "1", "--seed", str(seed))
            return stack.enter_context(child("cost", watch, workload, *given))

        working = {case: started(case.watch, case.rate) for case in ratios}
        for number in range(-1, turns):
            for case, found in ratios.items():
                if case.watch in _HEAVY and number % 4 and number >= 0:
                    continue
                # Without goes first in one turn and last in the next, so that a drift favours nobody.
                first = _batch(working[case], "without") if number % 2 else None
                took = turn(case, working[case])
                without = first or _batch(working[case], "without")
                if number >= 0:  # the turn before the first warms up
                    found.append(Taken(took.wall / without.wall, took.cpu / without.cpu))
        for case, achieved in looks.items():
            achieved.append(_looks(working[case]))


def _tell(workload: str, ratios: dict[Case, list[Taken]], looks: dict[Case, list[float]]) -> None:
    print(f"\nSlowdown of {workload} work: with ÷ without, medians (quartiles)")
    print(f"{'':28}{'CPU':>8}{'':16}{'wall':>8}{'':16}{'looks/s':>8}{'turns':>7}")
    for case, taken in ratios.items():
        achieved = f"{statistics.median(looks[case]):8.1f}" if case in looks else " " * 8
        figures = _told([each.cpu for each in taken]) + _told([each.wall for each in taken])
        print(f"{case.title:28}{figures}{achieved}{len(taken):7}", flush=True)


def _looks(working: Child) -> float:
    assert working.process.stdin is not None
    working.process.stdin.close()
    said: dict[str, float] = working.hear()["said"]
    return said["looks"]


def _told(ratios: list[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return f"{middle:8.3f} ({low:5.3f}–{high:6.3f})"
