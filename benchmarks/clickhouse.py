"""A big store shipped to ClickHouse: how fast it goes in, and how long each page takes there and from the file.

    python benchmarks/clickhouse.py /tmp/million.db /tmp/clickhouse [--warm 7] [--only overview traces] [--shipped]

The store (of benchmarks/store_big.py) is copied into the folder and read there. The engine is chdb, the current
ClickHouse as a library, behind the HTTP front of the tests: one statement at a time, on this machine, so that both
sides have the same processors. `--shipped` asks what an earlier run left in the folder.

Asked is the whole application in a process of its own, as benchmarks/store_pages.py does it. First: by a process that
has asked nothing yet (SQLite: of a file that the system was told to forget; ClickHouse: nothing drawn, not even names).
Again: the same question after that. Told are milliseconds of processor time, of the asking process and of the engine
together, and by the clock on the wall: where a machine has other work only the former say what a question costs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import psutil
from store_pages import QUESTIONS, RANGES, asker, at, forget, set_clock
from werkzeug.test import Client

from apm_agent.clickhouse import engine as engines
from apm_agent.clickhouse.address import is_clickhouse, parse
from apm_agent.errors import StoreError
from apm_agent.queries import connection
from apm_agent.store.clickhouse.shipper import Shipper
from apm_agent.web.app import dashboard
from clickhouse_engine import engine
from servers import free_port


class Counting:
    """An engine that notes the rows and the time of what is put in."""

    def __init__(self, url: str) -> None:
        self._engine = engines.connect(parse(url), StoreError)
        self.version = self._engine.version
        self.run, self.rows, self.close = self._engine.run, self._engine.rows, self._engine.close
        self.inserted: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], token: str) -> None:
        began = time.perf_counter()
        self._engine.insert(table, columns, rows, token)
        told = self.inserted[table]
        for number, more in enumerate((len(rows), 1, time.perf_counter() - began)):
            told[number] += more


def ship(path: Path, url: str) -> None:
    """Ship all of it, and tell what it took."""
    counting = Counting(url)
    shipper = Shipper(str(path), parse(url), "bench-host", counting)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    sent = shipper.step(all_of_it=True)
    took, used = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shipper.close()
    rows = sum(each[0] for each in counting.inserted.values())
    waited = sum(each[2] for each in counting.inserted.values())
    print(
        f"{sent:,} transactions ({rows:,.0f} rows in all) in {took:.0f} s: {sent / took:,.0f} transactions/s,"
        f" {rows / took:,.0f} rows/s; {waited:.0f} s of it in inserts, {used / sent * 1e6:.0f} µs of the shipper's"
        f" processor a transaction, which grew from {before / 1024:.0f} to {peak / 1024:.0f} MB"
    )
    print("\n| table | rows | inserts | rows/s while inserting |\n|---|---|---|---|")
    for table, (count, inserts, seconds) in counting.inserted.items():
        print(f"| {table} | {count:,.0f} | {inserts:.0f} | {count / max(seconds, 1e-9):,.0f} |")
    sizes = counting.rows(
        "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()"
        " GROUP BY table ORDER BY 3 DESC"
    )
    counting.close()
    total = sum(each[2] for each in sizes)
    print(f"\n{total / 2**20:.0f} MiB there, {path.stat().st_size / 2**20:.0f} MiB in the file", flush=True)


def times(
    url: str, question: str, parameters: dict[str, str], warm: int, engine_pid: int
) -> list[tuple[float, float]]:
    """(processor, wall) ms of the first time and of those after it, in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            client = Client(dashboard(url, open_to_all=True))
            serving = psutil.Process(engine_pid) if is_clickhouse(url) else None
            found: list[tuple[float, float]] = []
            for _ in range(warm + 1):
                begun, cpu = time.perf_counter(), used(serving)
                answer = client.get(f"/api/v1/{question}?{urlencode(parameters)}")
                found.append(((used(serving) - cpu) * 1000, (time.perf_counter() - begun) * 1000))
                if answer.status_code != 200:
                    print(answer.text[:200], file=sys.stderr)
                    found = []
                    break
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return [(cpu, wall) for cpu, wall in json.loads(data or b"[]")]


def used(serving: psutil.Process | None) -> float:
    """Seconds of processor time of this process, and of the engine."""
    theirs = serving.cpu_times() if serving is not None else None
    return time.process_time() + (theirs.user + theirs.system if theirs else 0.0)


def compare(path: Path, url: str, given: argparse.Namespace, engine_pid: int) -> None:
    """The table of both."""
    ask = asker(path)
    print("\n| question | range | SQLite: first | again | (wall) | ClickHouse: first | again | (wall) |")
    print("|---|---|---|---|---|---|---|---|")
    for name, parameters in QUESTIONS.items():
        if given.only and name not in given.only:
            continue
        question, more = name.partition(",")[0].partition(" ")[0], parameters(ask)
        for each in RANGES:
            cells = []
            for side in (f"sqlite:///{path.absolute()}", url):
                forget(path)
                found = times(side, question, {"range": each, **more}, given.warm, engine_pid)
                first, *again = found or [(float("nan"), float("nan"))] * 2
                cpu, wall = zip(*again, strict=True)
                cells.append(f"{first[0]:.0f} | {at(list(cpu), 0.5):.0f} | {at(list(wall), 0.5):.0f}")
            print(f"| {name} | {each} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Ship, ask, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--warm", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--shipped", action="store_true", help="what an earlier run shipped is asked")
    given = parser.parse_args()
    path = given.folder / "apm.db"
    if not given.shipped:
        shutil.rmtree(given.folder, ignore_errors=True)
        given.folder.mkdir(parents=True)
        with sqlite3.connect(path) as copy, sqlite3.connect(f"file:{given.store}?mode=ro", uri=True) as store:
            store.backup(copy)
    set_clock(path)
    connection.PATIENCE = 300.0  # told is how long it takes, not that it takes too long
    port = free_port()
    url = f"clickhouse://127.0.0.1:{port}/big"
    with engine(given.folder / "engine", port) as program:
        if not given.shipped:
            shipping = multiprocessing.get_context("fork").Process(target=ship, args=(path, url))
            shipping.start()
            shipping.join()
        compare(path, url, given, program.pid)


if __name__ == "__main__":
    main()
