"""The first table: the error of each profiler on each workload, and where ours falls short."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

from starting import Spy, child
from watching import WATCHES, of_folded
from work import WORKLOADS

#: Points a function's share may be off.
ALLOWED = 3.0
_OURS, _NONE = "ours", "none"
Shares = dict[str, float]


class Result(NamedTuple):
    """Shares in points: as they were by each clock, and as the profiler has them by one of them."""

    truths: dict[str, Shares]
    clock: str
    seen: Shares
    said: dict[str, float]

    @property
    def true(self) -> Shares:
        return self.truths[self.clock]

    @property
    def error(self) -> float:
        return furthest(self.true, self.seen)

    def moved(self, bare: Result) -> float:
        """How far the profiler's presence moved what was true without it."""
        return furthest(self.true, bare.truths[self.clock])


def shares(times: dict[str, float]) -> Shares:
    """In points of all that is known."""
    whole = sum(times.values()) or 1
    return {name: each / whole * 100 for name, each in times.items()}


def furthest(one: Shares, other: Shares) -> float:
    """The largest difference of one function's share."""
    return max(abs(one.get(name, 0.0) - other.get(name, 0.0)) for name in {*one, *other})


def measure(watch: str, workload: str, options: argparse.Namespace) -> Result:
    """One profiler on one workload."""
    given = (
        "--seconds",
        options.seconds,
        "--rate",
        options.rate,
        "--budget",
        options.budget,
        "--seed",
        options.seed,
    )
    with child("accuracy", watch, workload, *map(str, given)) as working:
        spy = (
            Spy(working.process.pid, options.rate, watch == "py-spy") if watch.startswith("py-spy") else None
        )
        try:
            working.go()
            found: dict[str, Any] = working.hear()
        finally:
            raw = spy.end() if spy is not None else ""
    seen = of_folded(raw) if spy is not None else found["seen"]
    truths = {clock: shares(found[clock]) for clock in ("wall", "cpu")}
    return Result(truths, found["clock"], shares(seen), found["said"])


def show(options: argparse.Namespace) -> int:
    """Print it; how many breaches there are."""
    others = [
        name
        for name in WATCHES
        if name not in (_NONE, _OURS) and (not options.watch or name in options.watch)
    ]
    names = [_OURS, *others]
    chance = 196 * (0.25 / (options.rate * options.seconds)) ** 0.5
    print(
        f"\nError in points, {options.rate:.0f} looks a second asked, {options.seconds:.0f} s each; with so few looks"
    )
    print(
        f"the share of a function that takes half the time is off by {chance:.1f} once in 20 by chance alone"
    )
    print(
        f"{'workload':28}"
        + "".join(f"{name:>{_width(name)}}" for name in names)
        + "   looks/s  cpu  uncertain"
    )
    results: dict[str, dict[str, Result]] = {}
    bare: dict[str, Result] = {}
    for workload in WORKLOADS:
        if options.workload not in workload:
            continue
        print(f"{workload:28}", end="", flush=True)
        row = results[workload] = {}
        bare[workload] = measure(_NONE, workload, options)
        for name in names:
            row[name] = measure(name, workload, options)
            print(f"{row[name].error:{_width(name)}.1f}", end="", flush=True)
        said = row[_OURS].said
        print(f"{said['looks']:10.1f} {said['cpu'] * 100:4.1f}% {said['uncertain'] * 100:8.1f}%", flush=True)
    print(
        "\nMoved: points by which the truth itself is another than in a process without that profiler, noise included"
    )
    for workload, row in results.items():
        moved = "".join(f"{row[name].moved(bare[workload]):{_width(name)}.1f}" for name in names)
        print(f"{workload:28}{moved}")
    _details(results)
    return _verdict(results, len(names) > 1)


def _width(name: str) -> int:
    return max(len(name), 6) + 2


def _details(results: dict[str, dict[str, Result]]) -> None:
    print("\nOurs by function, true → seen")
    for workload, row in results.items():
        ours = row[_OURS]
        words = (f"{name} {share:.1f} → {ours.seen.get(name, 0.0):.1f}" for name, share in ours.true.items())
        print(f"{workload:28} {', '.join(words)}")


def _verdict(results: dict[str, dict[str, Result]], compared: bool) -> int:
    """Say in words where ours is the worst, or too far off."""
    worst, far = [], []
    for workload, row in results.items():
        ours = row[_OURS].error
        others = {name: result.error for name, result in row.items() if name != _OURS}
        if compared and ours > max(others.values()):
            name = max(others, key=others.__getitem__)
            worst.append(f"{workload} ({ours:.1f}, next {name} {others[name]:.1f})")
        if ours > ALLOWED:
            far.append(f"{workload} ({ours:.1f})")
    print()
    if compared:
        print(f"Ours is the worst: {'; '.join(worst) or 'nowhere'}")
    print(f"Ours is more than {ALLOWED:.0f} points off: {'; '.join(far) or 'nowhere'}")
    return len(worst) + len(far)
