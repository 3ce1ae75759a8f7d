"""A store of six hours in which one endpoint leaks: four workers that grow and are restarted, a release, and captures.

``python tests/leaking.py /tmp/leaking/apm.db`` to look at it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.record import Process, Record
from apm_agent.store.sqlite import SQLiteStore
from make_store import SOURCE
from records import SECOND, record

MB = 2**20
MS = 1_000_000
PAGE = 4096
EXPORT, LIST, REPORT, SHARED = "POST /track", "GET /orders", "GET /report", "GET /feed"
HOURS = 6
#: A worker is ended by its server when it grew to so much.
LIMIT = 690 * MB
_BASE = 180 * MB
_WORKERS = 4


class Worker:
    """A process, and all it did."""

    def __init__(self, folder: Path, pid: int, release: str, started: int) -> None:
        self.process = Process(
            service="shop", environment="demo", release=release, host="web-1", pid=pid, started_at=started,
            python="3.11.7", server="gunicorn", app_root=str(folder),
        )  # fmt: skip
        self.size = _BASE + pid % 7 * MB
        self.records: list[Record] = []
        self.seen = started


class Shop:
    """Workers that serve in turn, one of them restarted when it is too large."""

    def __init__(self, folder: Path, end: int, calls: int) -> None:
        self.folder, self.end, self.calls = folder, end, calls
        self.random = Random(5)
        self.pid = 4100
        begin = end - HOURS * 3600 * SECOND
        self.workers = [self._new("1.4.0", begin - 1800 * SECOND + n * SECOND) for n in range(_WORKERS)]
        self.ended: list[Worker] = []
        for number in range(calls):
            at = begin + (end - begin) * number // calls
            if number == calls * 3 // 5:
                self._release(at)
            self._serve(number % _WORKERS, at)

    def _new(self, release: str, at: int) -> Worker:
        self.pid += 1
        return Worker(self.folder, self.pid, release, at)

    def _release(self, at: int) -> None:
        self.ended += self.workers
        self.workers = [self._new("1.5.0", at + n * SECOND) for n in range(_WORKERS)]

    def _serve(self, number: int, at: int) -> None:
        worker = self.workers[number]
        if worker.size > LIMIT:
            self.ended.append(worker)
            worker = self.workers[number] = self._new(worker.process.release, at)
            at += 2 * SECOND
        name = self.random.choices((EXPORT, LIST, REPORT, SHARED), (4, 10, 3, 3))[0]
        kept, returned = self._kept(name)
        before = worker.size
        worker.size += kept - returned
        worker.seen = at + SECOND // 2
        worker.records.append(
            record(
                name, at=at, spans=[], samples=[], insights=[], kept=None, duration_ns=20 * MS,
                rss_before=before, rss_after=before + kept, overlap=int(name == SHARED),
                times={"gc": 2 * MS} if name == REPORT else {},
            )
        )  # fmt: skip

    def _kept(self, name: str) -> tuple[int, int]:
        """What a call keeps as it ends, and what of it is given back before the next."""
        if name == EXPORT:
            return int(7200 * 3 * MB / self.calls * self.random.uniform(0.6, 1.4)), 0
        if name == REPORT:
            return 3 * MB, 3 * MB
        return self.random.choice((0, 0, PAGE)), self.random.choice((0, 0, PAGE))

    def write(self, path: Path) -> None:
        (self.folder / "shop.py").write_text(SOURCE)
        os.utime(self.folder / "shop.py", (self.end / SECOND - 86_400,) * 2)
        for worker in (*self.ended, *self.workers):
            store = SQLiteStore(str(path), worker.process, 4 * 2**30)
            store.write(worker.records, {"rss": worker.size})
            store.close()
        # Written in one go, so that all were heard of now: put back when each was.
        with sqlite3.connect(path) as db:
            for worker in (*self.ended, *self.workers):
                db.execute(
                    "UPDATE processes SET last_seen = ? WHERE pid = ?", (worker.seen, worker.process.pid)
                )
        db.close()


def captured(folder: Path, end: int) -> list[Record]:
    """The newest calls of the endpoint that leaks, measured in each way."""
    path = str(folder / "shop.py")
    view, send, seen = (
        Node(path, 36, "track"),
        Node("~", 0, "<method 'append' of 'list'>"),
        Node(path, 12, "price"),
    )
    made = []
    for number in range(3):
        graph = Callgraph()
        graph.functions = {
            view: Call(1, 1, 2 * MS, 22 * MS),
            seen: Call(40, 40, 16 * MS, 16 * MS),
            send: Call(500, 500, 4 * MS, 4 * MS),
        }
        graph.callers = {
            seen: {view: Call(40, 40, 16 * MS, 16 * MS)},
            send: {view: Call(500, 500, 4 * MS, 4 * MS)},
        }
        made.append(_measured(end, number, "cprofile", callgraph=graph))
    for number in range(2):
        lines = {(path, "price", 12): {13: [1, 1000], 14: [41, 41_000], 15: [120, 2 * MS], 16: [80, 14 * MS]}}
        made.append(_measured(end, 3 + number, "lines", lines=lines))
    for number in range(2):
        memory = {
            "kept": 2 * MB, "peak": 5 * MB, "objects": 81_000, "took": 90 * MS,
            "lines": [(path, 38, 2 * MB - 40_000, 500), (path, 37, 40_000, 12)],
            "types": [("dict", 500, (path, 38)), ("shop.Event", 500, (path, 38)), ("list", 2, None)],
            "holders": [("dict", [("list shop.SEEN", 5)]), ("shop.Event", [("list shop.SEEN", 5)])],
        }  # fmt: skip
        made.append(_measured(end, 5 + number, "memory", memory=memory, overlap=number, rss_before=None))
    return made


def _measured(end: int, number: int, way: str, **fields: Any) -> Record:
    return record(
        EXPORT, at=end - (60 + 5 * number) * SECOND, method="POST", path="/track", spans=[], insights=[],
        kept="captured", captured=(way, f"{number:016x}"), duration_ns=24 * MS, gc_pauses=[(MS, 2 * MS, 2)],
        times={"gc": 2 * MS}, **fields,
    )  # fmt: skip


def make(path: Path, calls: int = 3600) -> None:
    """Write it, so that it ends now."""
    folder = path.parent / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    end = time.time_ns() - SECOND
    shop = Shop(folder, end, calls)
    shop.workers[0].records += captured(folder, end)
    shop.write(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute())
