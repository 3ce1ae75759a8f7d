"""Makes a big store as the writers themselves would have left it, for benchmarks: a week of 200 endpoints.

    python benchmarks/store_big.py /tmp/big.db [--transactions 1000000] [--days 7] [--endpoints 200]
        [--details 20] [--max-size 4G] [--age DAYS]

Every record goes through the agent's own keeper, store, rollups and retention, under a clock that is set; only the
batches are larger than those of a second, which changes no row: sums and histograms add up alike (tests/store). Four
processes take turns, and a release comes every third day. With `--max-size` at the default of the agent's settings the
oldest transactions are deleted on the way, as they would be; their rollups stay.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from apm_agent.clock import Clock
from apm_agent.model.insight import Insight
from apm_agent.model.profile import RUNNING, WAITING, Frame
from apm_agent.model.record import FailureRecord, Process, Record, SampleRecord, SpanRecord
from apm_agent.recording.keeping import Keeper
from apm_agent.store.sqlite import SQLiteStore

SECOND, MS = 10**9, 10**6
DAY = 86_400 * SECOND
WORKERS, VARIANTS = 4, 12
FEWEST = 1_000  # in a batch; a thousand batches where that is more
RELEASED_EACH = 3  # days
SPANS, TABLES, LOOKS = 10, 120, 997


class Plan(NamedTuple):
    """What is to be made."""

    transactions: int = 1_000_000
    days: float = 7.0
    endpoints: int = 200
    details: int = 20
    max_size: int = 4 * 2**30
    max_age: float = 7 * 86_400.0
    seed: int = 7


def make(path: Path, plan: Plan, end: int | None = None, told: bool = False) -> int:
    """Fill the store up to the time `end` (now); how many transactions were written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.time_ns() if end is None else end
    start = end - int(plan.days * DAY)
    hands = [start]
    clock = Clock(lambda: hands[0] - start + 10 * SECOND, lambda: hands[0])
    chance = random.Random(plan.seed)
    kinds = [Endpoint(number, chance) for number in range(plan.endpoints)]
    keepers = [Keeper(500 * MS, plan.details) for _ in range(WORKERS)]
    stores: list[SQLiteStore] = []
    written, release, begun = 0, -1, time.monotonic()
    for turn, times in enumerate(batches(plan, start, end, chance)):
        hands[0] = times[-1]
        newest = int((times[0] - start) // (RELEASED_EACH * DAY))
        if newest != release:
            release = newest
            for store in stores:
                store.close()
            stores = [_store(path, plan, release, worker, clock) for worker in range(WORKERS)]
        worker = turn % WORKERS
        names = chance.choices(kinds, cum_weights=popularity(plan.endpoints), k=len(times))
        records = [kind.record(at, chance) for kind, at in zip(names, times, strict=True)]
        for record in records:
            record.slow = keepers[worker].is_slow(record, record.started_at - start)
            keepers[worker].decide(record, record.id % 2**21, record.started_at - start)
        stores[worker].write(records, {"rss": 80 * 2**20})
        written += len(records)
        while stores[worker].prune():
            pass
        if told and turn % 50 == 0:
            print(f"{written:10,} {written / (time.monotonic() - begun):8.0f} tx/s", flush=True)
    for store in stores:
        store.close()
    return written


def _store(path: Path, plan: Plan, release: int, worker: int, clock: Clock) -> SQLiteStore:
    who = Process(
        "big",
        "bench",
        f"1.{release}.0",
        "bench-host",
        1000 + 10 * release + worker,
        clock.wall(),
        "3.11",
        "gunicorn",
        "/srv",
    )
    return SQLiteStore(str(path), who, plan.max_size, plan.max_age, clock=clock)


def popularity(count: int, known: dict[int, list[float]] = {}) -> list[float]:  # noqa: B006  (made once)
    """Cumulated weights: a few endpoints have most of the traffic."""
    if count not in known:
        total, sums = 0.0, []
        for number in range(count):
            total += 1 / (number + 3)
            sums.append(total)
        known[count] = sums
    return known[count]


def batches(plan: Plan, start: int, end: int, chance: random.Random) -> Iterator[list[int]]:
    """When transactions begin, in order: more by day than by night."""
    ready: list[int] = []
    most = max(FEWEST, plan.transactions // 1_000)
    minutes = max(1, int((end - start) // (60 * SECOND)))
    shape = [1 + 0.7 * math.sin(2 * math.pi * minute / 1440) for minute in range(minutes)]
    scale, owed = plan.transactions / sum(shape), 0.0
    for minute, weight in enumerate(shape):
        owed += scale * weight
        count = int(owed)
        owed -= count
        first = start + minute * 60 * SECOND
        ready += sorted(first + chance.randrange(60 * SECOND) for _ in range(count))
        while len(ready) >= most:
            yield ready[:most]
            del ready[:most]
    if ready:
        yield ready


class Endpoint:
    """An endpoint, its statements and lines, and some of what its transactions may look like."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.name = f"GET /part{number % 20}/thing{number}/<int:id>"
        self.file = f"part{number % 20}.py"
        self.usual = math.log(chance.choice((4, 8, 15, 30, 60, 120)) * MS)
        self.view = Frame(f"thing{number}", self.file, 10 + number, "app", f"/srv/{self.file}")
        self.lines = [
            Frame(f"step{n}", self.file, 400 + 10 * number + n, "app", f"/srv/{self.file}") for n in range(4)
        ]
        self.statements = [
            f"SELECT a, b FROM table_{chance.randrange(TABLES)} WHERE key{n} = ?" for n in range(3)
        ]
        stacks = [(*ROOT, self.view, line) for line in self.lines]
        seen = [(stack, RUNNING) for stack in stacks] + [((*stack, DRIVER), WAITING) for stack in stacks]
        #: what the sampler finds, one look after another: the very same objects, as the digest gives them
        self.looks = [chance.choice(seen) for _ in range(LOOKS)]
        self.variants = [self._variant(chance) for _ in range(VARIANTS)]

    def record(self, at: int, chance: random.Random) -> Record:
        """One transaction that began at `at`."""
        duration = int(math.exp(chance.gauss(self.usual, 0.6)))
        made = replace(
            chance.choice(self.variants),
            id=(at >> 20) << 21 | chance.getrandbits(21),
            started_at=at,
            duration_ns=duration,
            cpu_ns=duration // 3,
            path=f"/thing/{chance.randrange(100_000)}",
        )
        # Times follow the duration that was drawn; of what a variant has in it only the amounts matter here.
        made.times = {"db": duration // 2, "template": duration // 10, "queue": 2 * MS}
        at_look = chance.randrange(LOOKS)
        made.samples = [
            SampleRecord(offset, min(10 * MS, duration - offset), *self.looks[(at_look + n) % LOOKS])
            for n, offset in enumerate(range(0, duration, 10 * MS))
        ]
        if chance.random() < 0.01:
            made.status = 500
            made.failure = FailureRecord("ValueError", "bad basket", self.view, (DRIVER, self.view))
        if chance.random() < 0.2:
            made.overlap = 1
        else:
            made.rss_after = (made.rss_before or 0) + 4096 * chance.randrange(3)
        return made

    def _variant(self, chance: random.Random) -> Record:
        each = 10**5
        spans = [
            SpanRecord(
                None, "db", "SELECT table", n * 3 * each, each * chance.randint(1, 20), each,
                self.statements[n % 3], self.lines[n % 4], {"rows": 1}, False,
            )
            for n in range(SPANS)
        ]  # fmt: skip
        made = Record(0, "web", self.name, 0, 0, "GET", view=self.view.function, status=200)
        made.queue_ns, made.rss_before, made.rss_after = 2 * MS, 80 * 2**20, 80 * 2**20
        made.spans, made.queries = spans, SPANS
        made.context = {"user": chance.randrange(50), "plan": chance.choice(("free", "pro"))}
        if chance.random() < 0.2:
            made.insights = [
                Insight(
                    "repeated_query", "10 identical queries", 20 * each, 10, self.lines[0], self.statements[0]
                )
            ]
        return made


ROOT = tuple(
    Frame(name, f"flask/{file}.py", line, "lib", f"/venv/flask/{file}.py")
    for name, file, line in (
        ("__call__", "app", 1536), ("wsgi_app", "app", 1511), ("full_dispatch_request", "app", 917),
        ("dispatch_request", "app", 902), ("view", "views", 110),
    )
)  # fmt: skip
DRIVER = Frame("execute", "driver/cursor.py", 90, "lib", "/venv/driver/cursor.py")


def size_of(text: str) -> int:
    """``4G``, ``512M`` or bytes."""
    unit = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:].upper())
    return int(float(text[:-1]) * unit) if unit else int(text)


def options() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--endpoints", type=int, default=200)
    parser.add_argument("--details", type=int, default=20, help="the setting max_details")
    parser.add_argument("--max-size", type=size_of, default=4 * 2**30, help="the setting max_size: 512M, 4G")
    parser.add_argument("--age", type=float, default=7.0, help="days that transactions are kept")
    return parser


def main() -> None:
    """Make it, and say what it came to."""
    given = options().parse_args()
    plan = Plan(
        given.transactions, given.days, given.endpoints, given.details, given.max_size, given.age * 86_400.0
    )
    begun, cpu = time.monotonic(), time.process_time()
    written = make(given.path, plan, told=True)
    took, used = time.monotonic() - begun, time.process_time() - cpu
    size = given.path.stat().st_size
    print(
        f"{written:,} transactions in {took:.0f} s ({used / written * 1e6:.0f} µs of CPU each), "
        f"{size / 2**20:.0f} MiB, {size / written:.0f} bytes each"
    )


if __name__ == "__main__":
    main()
