"""Soak for R19: five hundred requests a second while the store is locked, its disk full or read-only for ten minutes.

python tests/soak/r19_store_away.py [--minutes 10] [--rate 500] [--only full]

Each misfortune has a server and a small disk of its own, with calm before it and after it. Told are memory, answers and
how long they took in calm and in need, what the agent said, and what became of every request. Ends with 1 on a breach;
mounting a disk needs root.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from apm_agent import __version__
from apm_agent.queries.connection import connect
from apm_agent.queries.health import health
from damage import Fault, full, locked, mount
from promises import Page
from records import rows
from witness import Site, serving, until

#: Rows of docs/reliability.md that this holds beside its own: nobody waits for the store meanwhile.
ROWS = (34,)
#: Seconds before, and at most until the store has something new again afterwards.
CALM, BACK = 20.0, 60.0
#: Megabytes that a worker may grow in need, once its queue is full.
GROWTH = 3.0
WORKERS = 2
_AT_ONCE = 16


class Asked(NamedTuple):
    """An answer: when it was asked for, its status (0: none), and the seconds it took."""

    at: float
    status: int
    took: float


class Load:
    """Requests at a steady rate, on time whether or not earlier ones were answered."""

    def __init__(self, site: Site, rate: float) -> None:
        self._site, self._rate = site, rate
        self._over = threading.Event()
        self.asked: list[Asked] = []

    def __enter__(self) -> Load:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began, number = time.monotonic(), 0
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while not self._over.is_set():
                time.sleep(max(0.0, began + number / self._rate - time.monotonic()))
                pool.submit(self._ask, number)
                number += 1

    def _ask(self, number: int) -> None:
        began = time.monotonic()
        status = self._site.ask(f"/n/{number}")
        self.asked.append(Asked(began, status, time.monotonic() - began))


@contextmanager
def read_only(store: Path) -> Iterator[None]:
    """Nothing may be written on the disk; only before a process has opened a file there."""
    disk = str(store.parent.parent)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


MISFORTUNES: dict[str, Fault] = {"locked": locked, "full": full, "read-only": read_only}


class Seen(NamedTuple):
    """What came of one misfortune: when it began and ended, and how long afterwards something was kept again."""

    asked: list[Asked]
    began: float
    need: float
    over: float
    sizes: list[int]
    said: list[str]
    back: float | None


def run(name: str, seconds: float, rate: float, disk: Path) -> tuple[Seen, dict[str, int]]:
    """Calm, need, calm; what was seen, and what is said to have become of the requests."""
    store = disk / "kept" / "apm.db"
    options = ("--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "4")
    with ExitStack() as need:
        if name == "read-only":
            need.enter_context(MISFORTUNES[name](store))
        with serving(disk.parent / name, *options, store=store) as site:
            with Load(site, rate) as load:
                began = time.monotonic()
                if name != "read-only":
                    time.sleep(CALM)
                    need.enter_context(MISFORTUNES[name](store))
                since = time.monotonic()
                sizes = _sizes(site, seconds)
                need.close()
                over = time.monotonic()
                kept = until(lambda: _newest(store) > time.time() - 2, BACK)
                back = time.monotonic() - over if kept else None
                time.sleep(CALM)
            said = [line for line in site.program.output.splitlines() if "apm-agent" in line]
            until(lambda: sum(told(store).values()) == len(load.asked))
            return Seen(load.asked, began, since, over, sizes, said, back), told(store)


def _sizes(site: Site, seconds: float) -> list[int]:
    found, until_ = [], time.monotonic() + seconds
    while time.monotonic() < until_:
        time.sleep(1)
        found.append(sum(psutil.Process(pid).memory_info().rss for pid in site.workers()))
    return found


def _newest(store: Path) -> float:
    try:
        [(newest,)] = rows(store, "SELECT max(started_at) FROM transactions")
    except sqlite3.OperationalError:
        return 0.0  # there is no file yet, or no table in it
    return (newest or 0) / 1e9


def told(store: Path) -> dict[str, int]:
    """Of all requests: kept, and what each process says it dropped and lost."""
    found = {"kept": rows(store, "SELECT sum(count) FROM rollups WHERE resolution = 60")[0][0] or 0}
    with connect(f"sqlite:///{store}") as connection:
        for process in health(connection, f"sqlite:///{store}", __version__)["processes"]:
            for key in ("dropped", "lost"):
                found[key] = found.get(key, 0) + process["recorder"][key]
    return found


def judge(page: Page, name: str, seen: Seen, sums: dict[str, int]) -> None:
    """Everything that was promised."""
    failed = [each for each in seen.asked if each.status != 200]
    page.line(not failed, f"{name}: {len(seen.asked)} requests, {len(failed)} not answered with 200")
    calm = [
        each.took for each in seen.asked if seen.began + 5 < each.at < seen.need or each.at > seen.over + 5
    ]
    need = [each.took for each in seen.asked if seen.need + 1 < each.at < seen.over]
    for share, title in ((50, "median"), (95, "p95"), (99, "p99")):
        before, meanwhile = (statistics.quantiles(some, n=100)[share - 1] * 1e3 for some in (calm, need))
        page.line(None, f"{title} {meanwhile:.2f} ms in need, {before:.2f} in calm")
    # The queue is full long before the second half.
    later = seen.sizes[len(seen.sizes) // 2 :]
    grown = (statistics.median(later[-10:]) - statistics.median(later[:10])) / WORKERS / 2**20
    page.line(
        grown < GROWTH,
        f"a worker grew by {grown:+.2f} MB in the second half, to {later[-1] / WORKERS / 2**20:.1f} MB",
    )
    page.line(
        0 < len(seen.said) <= WORKERS,
        f"{len(seen.said)} lines of {WORKERS} workers: {' / '.join(seen.said[:2])[:300]}",
    )
    page.line(seen.back is not None, f"kept again {seen.back or 0:.1f} s after it was over")
    page.line(
        sum(sums.values()) == len(seen.asked), ", ".join(f"{count} {key}" for key, count in sums.items())
    )


def main() -> int:
    """One misfortune after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second (500)")
    parser.add_argument("--only", choices=MISFORTUNES)
    options, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    page = Page()
    with tempfile.TemporaryDirectory() as folder:
        for name in [options.only] if options.only else MISFORTUNES:
            disk = Path(folder) / f"disk of {name}"
            disk.mkdir()
            if not mount(disk, "size=64m"):
                print("no disk of its own can be mounted; cure: run it as root")
                return 1
            (disk / "kept").mkdir()
            try:
                seen, sums = run(name, options.minutes * 60, options.rate, disk)
                judge(page, name, seen, sums)
            finally:
                subprocess.run(["umount", "-l", disk], check=True)
    print("All holds." if not page.breaches else f"{page.breaches} of this does not hold.")
    return 1 if page.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
