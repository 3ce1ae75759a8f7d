"""Fills a store with a made-up day of a shop, through the real writer: for tests, and to try the pages.

So many requests, and the jobs of `make_jobs` beside them.

``python tests/make_store.py /tmp/day/apm.db [--transactions 20000] [--hours 24]``; then
``apm-agent dashboard --store /tmp/day/apm.db``. The planted faults are those of `FAULTS`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from apm_agent.model.record import Process, Record
from apm_agent.store.sqlite import SQLiteStore
from make_jobs import jobs
from make_shop import CUSTOMER, FAULTS, MS, OFTEN, REPORT, SOURCE, Shop

__all__ = ["CUSTOMER", "FAULTS", "MS", "REPORT", "SOURCE", "Shop", "batches", "make", "process"]

#: A handful of requests has no jobs beside it.
_ENOUGH = 500

STATE = {
    "rss": 84 * 2**20,
    "sampler": {
        "interval_ms": 10.0, "achieved_per_s": 97.2, "cpu_share": 0.004, "budget": 0.01, "late_ms_p90": 1.2,
        "uncertain_share": 0.02,
    },
    "recorder": {"queued": 0, "recorded": 20000, "dropped": 0, "ignored": 12},
    "writer": {"batches": 900, "last_ms": 3.1, "max_ms": 21.0, "errors": 0, "cpu_ms": 812.0},
    "overhead": {"per_transaction_us": 9.4, "cpu_share": 0.006},
    "instruments": [
        {"name": "sqlite3", "state": "patched", "detail": "3.40.1"},
        {"name": "redis", "state": "waiting", "detail": ""},
    ],
    "contained": [],
    "settings": {"sample_interval": 0.01, "slow": 0.5, "max_size": 512 * 2**20},
}  # fmt: skip


def make(
    path: Path, transactions: int = 20_000, hours: float = 24.0, now: float | None = None, seed: int = 7
) -> None:
    """Write the day that ends `now` into the store at `path`, by two workers and two releases."""
    end = int((time.time() if now is None else now) * 1e9)
    begin = end - int(hours * 3600e9)
    folder = path.parent / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.py").write_text(SOURCE)
    os.utime(folder / "shop.py", (begin / 1e9 - 3600, begin / 1e9 - 3600))
    shop = Shop(folder, seed)
    halves = (begin, (begin + end) // 2, end)
    quotes: list[tuple[int, int]] = []
    for number, version in enumerate(("1.3.0", "1.4.0")):
        for worker in range(2):
            store = SQLiteStore(str(path), process(folder, version, worker, halves[number]), 4 * 2**30)
            many = transactions // 4
            for batch in batches(shop, many, halves[number], halves[number + 1], number * 2 + worker):
                store.write(batch, STATE)
                quotes += [(each.started_at, each.id) for each in batch if each.name == "POST /quote"]
            store.close()
        if transactions < _ENOUGH:
            continue
        store = SQLiteStore(str(path), worker_process(folder, version, halves[number]), 4 * 2**30)
        store.write(jobs(shop.frame, quotes[::4], halves[number], halves[number + 1], version), STATE)
        quotes.clear()
        store.close()


def worker_process(folder: Path, version: str, started: int) -> Process:
    """The one that runs the jobs."""
    return replace(process(folder, version, 2, started), server="celery")


def process(folder: Path, version: str, worker: int, started: int) -> Process:
    return Process(
        service="shop", environment="demo", release=version, host="made-up", pid=4000 + worker,
        started_at=started + worker, python="3.11.7", server="gunicorn", app_root=str(folder),
    )  # fmt: skip


def batches(shop: Shop, count: int, begin: int, end: int, part: int) -> Iterator[list[Record]]:
    names, weights = list(OFTEN), list(OFTEN.values())
    chosen = shop.random.choices(names, weights, k=count)
    batch = []
    for number, name in enumerate(chosen):
        at = begin + (end - begin) * number // count + shop.random.randrange(10 * MS)
        batch.append(shop.record(name, min(at, end - 1), number * 4 + part))
        if len(batch) == 2000:
            yield batch
            batch = []
    yield batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--transactions", type=int, default=20_000)
    parser.add_argument("--hours", type=float, default=24.0)
    given = parser.parse_args()
    make(given.path.absolute(), given.transactions, given.hours)


if __name__ == "__main__":
    main()
