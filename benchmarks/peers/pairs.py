"""A bare process and a watched one take turns, batch by batch, in the environment of the same peer."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from apps import VIEWS
from collector import Collector

_WORKER = Path(__file__).with_name("worker.py")
#: Bytes that a request must have brought to the collector, at the least, to count as collected.
_LEAST_BYTES = 20
_STARTS = 9


class Cost(NamedTuple):
    """Of one view: µs bare and added, on the wall and of all processor time; `flushed` of that after the requests."""

    bare_us: float
    added_us: float
    bare_cpu_us: float
    added_cpu_us: float
    flushed_us: float = 0.0


class Found(NamedTuple):
    """Of one peer in one framework."""

    views: dict[str, Cost]
    start_ms: float
    rss_mib: float
    bare_start_ms: float


class Process:
    """A worker that obeys."""

    def __init__(self, python: str, framework: str, peer: str, folder: Path, env: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        with (folder / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(
                [python, "-X", "frozen_modules=on", str(_WORKER), framework, peer],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder,
                env={**os.environ, **env},
            )  # fmt: skip
        self._errors = folder / "stderr"
        self._hear()
        self.start_s = time.perf_counter() - began

    def ask(self, **words: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._hear()

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write('{"do": "quit"}\n')
        self._process.stdin.close()
        self._process.wait(30)

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"'):  # peers print, too
                said: dict[str, Any] = json.loads(line)
                return said
        raise RuntimeError(f"a worker ended early: {self._errors.read_text()[-1500:]}")


@contextmanager
def _started(
    python: str, framework: str, peer: ModuleType, folder: Path, collector: Collector
) -> Iterator[dict[str, Process]]:
    name = peer.__name__.rpartition(".")[2]
    env = peer.environment(collector.port, collector.core_port, str(folder / "watched"))
    both = {
        "bare": Process(python, framework, "bare", folder / "bare", {}),
        "watched": Process(python, framework, name, folder / "watched", env),
    }
    try:
        yield both
    finally:
        for each in both.values():
            each.end()


def measure(python: str, framework: str, peer: ModuleType, rounds: int, folder: Path) -> Found:
    """Every view; raises RuntimeError where the peer collected nothing."""
    collector = Collector()
    start_ms, bare_start_ms = starts(python, framework, peer, folder, collector)
    costs = {}
    with _started(python, framework, peer, folder / "run", collector) as both:
        before = both["watched"].ask(do="kept")["kept"], collector.bytes
        for view, count in VIEWS.items():
            costs[view] = _view(both, view, count, rounds)
        requests = sum(VIEWS.values()) * rounds
        rss = {who: each.ask(do="rss")["rss"] for who, each in both.items()}  # before its rows are read in it
        after = both["watched"].ask(do="kept")["kept"], collector.bytes
        collected = (after[1] - before[1]) / _LEAST_BYTES if peer.SENDS else after[0] - before[0]
        if collected < requests * 0.9:
            raise RuntimeError(f"{peer.TITLE} collected {collected:.0f} of {requests} requests: not measured")
    return Found(costs, start_ms, (rss["watched"] - rss["bare"]) / 2**20, bare_start_ms)


def starts(
    python: str, framework: str, peer: ModuleType, folder: Path, collector: Collector
) -> tuple[float, float]:
    """How much later a process is ready for having the peer inside, and how long a bare one takes: medians, in ms."""
    later, bare = [], []
    # In one folder: stores and tables are there from the second start on, as they mostly are.
    for _ in range(_STARTS):
        with _started(python, framework, peer, folder / "start", collector) as both:
            later.append(both["watched"].start_s - both["bare"].start_s)
            bare.append(both["bare"].start_s)
    return statistics.median(later) * 1e3, statistics.median(bare) * 1e3


def _view(both: dict[str, Process], view: str, count: int, rounds: int) -> Cost:
    took: dict[str, list[tuple[float, float, float]]] = {who: [] for who in both}
    for number in range(rounds):
        for who in ("bare", "watched") if number % 2 else ("watched", "bare"):
            run = both[who].ask(do="run", view=view, count=count)
            rest = both[who].ask(do="flush")
            all_cpu = run["cpu"] + rest["cpu"]
            took[who].append((run["wall"] / count / 1e3, all_cpu / count / 1e3, rest["cpu"] / count / 1e3))
    wall, cpu, flushed = (
        {who: statistics.median(each[at] for each in took[who]) for who in both} for at in range(3)
    )
    return Cost(
        wall["bare"], wall["watched"] - wall["bare"], cpu["bare"], cpu["watched"] - cpu["bare"],
        flushed["watched"] - flushed["bare"],
    )  # fmt: skip
