"""Whether the byte cap holds while a million transactions pass, and how long it makes a writer wait.

    python benchmarks/store_cap.py [--transactions 1000000] [--max-size 64M] [--processes 4] [--rate N]

Each process writes batches as fast as it can, or all together `--rate` transactions a second, and prunes after each as
the agent's writer does; one of them holds the lease. Told are the largest file with its WAL (and with the ballast) that
anybody saw, how long retention held the file at a time, how long a batch waited for it, whoever held it, and what is
left after the last.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from store_big import Endpoint, size_of

from apm_agent.errors import StoreError
from apm_agent.model.record import Process, Record
from apm_agent.store import exclusive, retention, sqlite, windows
from apm_agent.store.sqlite import SQLiteStore

BATCH = 200
ENDPOINTS = 50


class Done(NamedTuple):
    """What a process saw."""

    written: int
    errors: int
    waits: list[float]
    holds: list[float]
    cuts: list[float]
    largest: tuple[int, ...]


def timed(into: list[float], waits: list[float]) -> Any:
    """`exclusive`, which notes how long it waited and how long it held."""

    @contextmanager
    def noting(connection: sqlite3.Connection) -> Iterator[None]:
        begun = time.monotonic()
        with exclusive.exclusive(connection):
            had = time.monotonic()
            waits.append(had - begun)
            yield
        into.append(time.monotonic() - had)

    return noting


def work(path: str, count: int, given: argparse.Namespace, answers: Any) -> None:
    """Write so many transactions, and prune."""
    waits: list[float] = []
    holds: list[float] = []
    cuts: list[float] = []
    own: list[float] = []
    setattr(sqlite, "exclusive", timed(own, waits))  # noqa: B010  (theirs alone are measured, here alone)
    for part in (retention, windows):
        setattr(part, "exclusive", timed(holds, []))  # noqa: B010
    who = Process("cap", "", "1", "here", os.getpid(), time.time_ns(), "3.11")
    store = SQLiteStore(path, who, given.max_size)
    cut = store._guard_wal

    def cutting(connection: sqlite3.Connection) -> None:
        begun = time.monotonic()
        cut(connection)
        cuts.append(time.monotonic() - begun)

    store._guard_wal = store._retention._cut = cutting  # type: ignore[method-assign]
    chance = random.Random(os.getpid())
    endpoints = [Endpoint(number, chance) for number in range(ENDPOINTS)]
    ready = [endpoint.record(0, chance) for endpoint in endpoints for _ in range(5)]
    errors = written = 0
    largest: tuple[int, ...] = (0, 0, 0)
    pace = BATCH * given.processes / given.rate if given.rate else 0.0
    while written < count:
        begun = time.monotonic()
        try:
            store.write(batch(ready, chance), {})
            written += BATCH
            store.prune()
        except StoreError:
            errors += 1
        largest = tuple(map(max, largest, sizes(path)))
        time.sleep(max(0.0, pace - (time.monotonic() - begun)))
    deadline = time.monotonic() + 20
    while store.prune() and time.monotonic() < deadline:
        pass
    store.close()
    answers.put(Done(written, errors, waits, holds, cuts, largest))


def batch(ready: list[Record], chance: random.Random) -> list[Record]:
    """What happened just now."""
    now = time.time_ns()
    return [
        replace(
            chance.choice(ready),
            id=(now >> 20) << 21 | chance.getrandbits(21),
            started_at=now,
            kept="uniform" if chance.random() < 0.3 else None,
        )
        for _ in range(BATCH)
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


def told(name: str, many: list[float]) -> str:
    """How often, the median, the 99th percentile and the longest, in ms."""
    ready = sorted(many) or [0.0]
    at = (ready[len(ready) // 2], ready[int(0.99 * (len(ready) - 1))], ready[-1])
    return f"{name:28} {len(many):8} " + " ".join(f"{each * 1000:9.1f}" for each in at)


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
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/apm.db"
        context = multiprocessing.get_context("spawn")
        answers: Any = context.Queue()
        each = given.transactions // given.processes
        workers = [
            context.Process(target=work, args=(path, each, given, answers)) for _ in range(given.processes)
        ]
        begun = time.monotonic()
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
            f"{written:,} transactions in {took:.0f} s, {sum(one.errors for one in found)} flushes given up"
        )
        file, wal, folder_size = (max(each) for each in zip(*(one.largest for one in found), strict=True))
        print(
            f"cap {mib(given.max_size)}; at most: file {mib(file)}, WAL {mib(wal)}, folder {mib(folder_size)}"
        )
        print(f"at the end the folder has {mib(sizes(path)[2])}; the file is {whole}")
        print(f"left: {kept:,} transactions, {detail:,} with details; in the rollups: {counted:,}")
        print(f"{'ms':28} {'times':>8} {'median':>9} {'p99':>9} {'longest':>9}")
        print(told("retention held the file", [t for one in found for t in one.holds]))
        print(told("the WAL was cut", [t for one in found for t in one.cuts if t > 0.0005]))
        print(told("a batch waited for the file", [t for one in found for t in one.waits]))


if __name__ == "__main__":
    main()
