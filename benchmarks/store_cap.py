"""Whether the byte cap holds while many transactions pass, and how long retention makes a writer wait.

    python benchmarks/store_cap.py [--transactions 1000000] [--max-size 64M] [--processes 4] [--rate N] [--minutes N]

Each process writes batches as fast as it can, or all together `--rate` transactions a second, and prunes after each as
the agent's writer does; one of them holds the lease. Told are the largest file, WAL and folder that anybody saw, how
long retention held the file at a time, and how long a batch waited for it: whoever held it, and how much of that while
retention did. Of the holds past 20 ms: the longest statement, and how much of the time this process had a processor.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import sqlite3
import sys
import tempfile
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from store_big import Endpoint, size_of

from apm_agent.errors import StoreError
from apm_agent.model.record import Process, Record
from apm_agent.store import exclusive, holds, retention, sqlite
from apm_agent.store.sqlite import SQLiteStore

ENDPOINTS = 50
LONG = 0.02
#: From when to when, by the clock that all processes share.
Times = list[tuple[float, float]]


class Long(NamedTuple):
    """A long hold: of which statement most of it was, and how it was spent."""

    seconds: float
    statement: str
    of_it: float
    cpu: float
    lost_processor: int
    waited: int


class Done(NamedTuple):
    """What a process saw."""

    written: int
    errors: int
    waits: Times
    holds: Times
    cpu: list[float]
    cuts: Times
    long: list[Long]
    largest: tuple[int, ...]


def waiting(waits: Times) -> Any:
    """`exclusive`, which notes how long it waited."""

    @contextmanager
    def noting(connection: sqlite3.Connection) -> Iterator[None]:
        begun = time.monotonic()
        with exclusive.exclusive(connection):
            waits.append((begun, time.monotonic()))
            yield

    return noting


def holding(into: Times, used: list[float], long: list[Long]) -> Any:
    """`exclusive`, which notes how long it held, and of what a long hold consisted."""

    @contextmanager
    def noting(connection: sqlite3.Connection) -> Iterator[None]:
        said: list[tuple[float, str]] = []
        with exclusive.exclusive(connection):
            had, cpu, before = time.monotonic(), time.thread_time(), resource.getrusage(resource.RUSAGE_SELF)
            connection.set_trace_callback(lambda sql: said.append((time.monotonic(), sql)))
            yield
        end, cpu = time.monotonic(), time.thread_time() - cpu
        connection.set_trace_callback(None)
        into.append((had, end))
        used.append(cpu)
        if end - had > LONG:
            spent: dict[str, float] = defaultdict(float)
            for (begun, sql), (until, _) in zip(said, [*said[1:], (end, "")], strict=True):
                spent[" ".join(sql.split()[:3])] += until - begun
            after = resource.getrusage(resource.RUSAGE_SELF)
            most, statement = max((seconds, sql) for sql, seconds in spent.items())
            lost, waited = after.ru_nivcsw - before.ru_nivcsw, after.ru_nvcsw - before.ru_nvcsw
            long.append(Long(end - had, statement, most, cpu, lost, waited))

    return noting


def work(path: str, count: int, given: argparse.Namespace, answers: Any) -> None:
    """Write so many transactions, and prune."""
    waits: Times = []
    held: Times = []
    used: list[float] = []
    cuts: Times = []
    long: list[Long] = []
    setattr(sqlite, "exclusive", waiting(waits))  # noqa: B010  (theirs alone are measured, here alone)
    for part in (retention, holds):
        setattr(part, "exclusive", holding(held, used, long))  # noqa: B010
    who = Process("cap", "", "1", "here", os.getpid(), time.time_ns(), "3.11")
    store = SQLiteStore(path, who, given.max_size)
    cut = store._log.cut

    def cutting(connection: sqlite3.Connection) -> None:
        begun = time.monotonic()
        cut(connection)
        if time.monotonic() - begun > 0.0005:
            cuts.append((begun, time.monotonic()))

    store._log.cut = cutting  # type: ignore[method-assign]
    chance = random.Random(os.getpid())
    endpoints = [Endpoint(number, chance) for number in range(ENDPOINTS)]
    ready = [endpoint.record(0, chance) for endpoint in endpoints for _ in range(5)]
    if given.bare:
        ready = [replace(each, spans=[], samples=[], insights=[], queries=0) for each in ready]
    errors = written = 0
    largest: tuple[int, ...] = (0, 0, 0)
    pace = given.batch * given.processes / given.rate if given.rate else 0.0
    last = time.monotonic() + given.minutes * 60
    while written < count and time.monotonic() < last:
        begun = time.monotonic()
        try:
            store.write(batch(ready, chance, given.batch, 0.02 if given.bare else 0.3), {})
            written += given.batch
            store.prune()
        except StoreError:
            errors += 1
        largest = tuple(map(max, largest, sizes(path)))
        time.sleep(max(0.0, pace - (time.monotonic() - begun)))
    deadline = time.monotonic() + 20
    while store.prune() and time.monotonic() < deadline:
        pass
    store.close()
    answers.put(Done(written, errors, waits, held, used, cuts, long, largest))


def batch(ready: list[Record], chance: random.Random, count: int, kept: float) -> list[Record]:
    """What happened just now, one each millisecond: of one moment ids would soon be equal."""
    now = time.time_ns()
    return [
        replace(
            chance.choice(ready),
            id=(at >> 20) << 21 | chance.getrandbits(21),
            started_at=at,
            kept="uniform" if chance.random() < kept else None,
        )
        for at in range(now - count * 10**6, now, 10**6)
    ]


def sizes(path: str) -> tuple[int, int, int]:
    """Bytes of the file, of its WAL, and of all there is."""
    found: dict[str, int] = {}
    with os.scandir(os.path.dirname(path)) as entries:
        for entry in entries:
            try:
                found[entry.name] = entry.stat().st_size
            except FileNotFoundError:
                continue
    return found.get("apm.db", 0), found.get("apm.db-wal", 0), sum(found.values())


def mib(size: int) -> str:
    """Bytes as MiB."""
    return f"{size / 2**20:.1f} MiB"


def overlap(times: Times, others: Times) -> list[float]:
    """How much of each of these times falls into any of the others, which do not overlap one another."""
    others = sorted(others)
    ends = [end for _, end in others]
    found = []
    for begun, end in times:
        common, at = 0.0, bisect_left(ends, begun)
        while at < len(others) and others[at][0] < end:
            common += min(end, others[at][1]) - max(begun, others[at][0])
            at += 1
        found.append(common)
    return found


def told(name: str, many: list[float]) -> str:
    """How often, the median, the 99th percentile and the longest, in ms; how often past 50 ms."""
    ready = sorted(many) or [0.0]
    at = (ready[len(ready) // 2], ready[int(0.99 * (len(ready) - 1))], ready[-1])
    late = sum(each > 0.05 for each in ready)
    return f"{name:34} {len(many):8} " + " ".join(f"{each * 1000:9.1f}" for each in at) + f" {late:9}"


def lasted(times: Times) -> list[float]:
    """Seconds of each."""
    return [end - begun for begun, end in times]


def main() -> None:
    """Run it, and print what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--max-size", type=size_of, default=64 * 2**20)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument(
        "--rate", type=int, default=0, help="transactions a second of all (as fast as they can)"
    )
    parser.add_argument("--batch", type=int, default=500, help="transactions of a write; the agent's has 500")
    parser.add_argument(
        "--bare", action="store_true", help="no spans, no samples, and 2 % kept, not 30: far more pass"
    )
    parser.add_argument("--minutes", type=float, default=1e6, help="end after so long, however many passed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/apm.db"
        context = multiprocessing.get_context("spawn")
        answers: Any = context.Queue()
        each = given.transactions // given.processes
        workers = [
            context.Process(target=work, args=(path, each, given, answers)) for _ in range(given.processes)
        ]
        begun, load = time.monotonic(), os.getloadavg()[0]
        for worker in workers:
            worker.start()
        found: list[Done] = [answers.get() for _ in workers]
        for worker in workers:
            worker.join()
        took = time.monotonic() - begun
        db = sqlite3.connect(path)
        kept, detail = (
            db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("transactions", "traces")
        )
        counted = db.execute("SELECT sum(count) FROM rollups WHERE resolution = 86400").fetchone()[0]
        whole = db.execute("PRAGMA integrity_check").fetchone()[0]
        db.close()
        written = sum(one.written for one in found)
        print(
            f"{written:,} transactions in {took:.0f} s, {sum(one.errors for one in found)} flushes given up;"
            f" load {load:.0f} before, {os.getloadavg()[0]:.0f} after"
        )
        file, wal, folder_size = (max(each) for each in zip(*(one.largest for one in found), strict=True))
        print(
            f"cap {mib(given.max_size)}; at most: file {mib(file)}, WAL {mib(wal)}, folder {mib(folder_size)}"
        )
        print(f"at the end the folder has {mib(sizes(path)[2])}; the file is {whole}")
        print(f"left: {kept:,} transactions, {detail:,} with details; in the rollups: {counted:,}")
        print(f"{'ms':34} {'times':>8} {'median':>9} {'p99':>9} {'longest':>9} {'over 50':>9}")
        held = [each for one in found for each in one.holds]
        waits = [each for one in found for each in one.waits]
        print(told("retention held the file", lasted(held)))
        print(told("of that on a processor", [each for one in found for each in one.cpu]))
        print(told("a batch waited for the file", lasted(waits)))
        print(told("of that while retention had it", [each for each in overlap(waits, held) if each]))
        print(told("looking after the log", [each for one in found for each in lasted(one.cuts)]))
        long = [each for one in found for each in one.long]
        print(
            f"{len(long)} holds past {LONG * 1000:.0f} ms; of their time on a processor:"
            f" {100 * sum(each.cpu for each in long) / (sum(each.seconds for each in long) or 1):.0f} %"
        )
        for each in sorted(long, reverse=True)[:8]:
            print(
                f"  {each.seconds * 1000:6.1f} ms, {each.of_it * 1000:6.1f} of it {each.statement!r};"
                f" {each.cpu * 1000:5.1f} on a processor, which was taken {each.lost_processor} times,"
                f" let go {each.waited}"
            )


if __name__ == "__main__":
    main()
