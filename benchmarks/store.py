"""What writing costs: transactions a second, CPU a transaction, bytes on disk, from 1 and 4 processes.

    python benchmarks/store.py [seconds] [--must]

`--must` runs only what is promised: 4 processes, ten spans and samples, all kept, without and with a dashboard that
asks for its Overview, Endpoints and Traces in a loop. "locked" counts flushes that gave up waiting for the file.

Whole way from the queue to the file, closed loop: digest, insights, encoding, rows, rollups at three levels.
"all kept" keeps spans and samples of every transaction; "as set" what the default settings would. "literals"
are statements with their values in the text, each one new, as no parametrised query sends them.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from apm_agent.config import Config
from apm_agent.insights import INSIGHTS
from apm_agent.model.origin import Origin
from apm_agent.model.profile import RUNNING, Sample
from apm_agent.model.record import Process
from apm_agent.model.transaction import Transaction
from apm_agent.recording.digest import Digest
from apm_agent.recording.recorder import Recorder
from apm_agent.recording.writer import Writer
from apm_agent.store import open_store
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.tracer import Tracer, close_span, open_span

BATCH = 500
ENDPOINTS = 20
ALL = 10**9
QUESTIONS = ("overview?range=1h", "endpoints?range=24h", "traces?range=1h")


class Done(NamedTuple):
    """What a worker did."""

    written: int
    cpu: float
    busy: float
    slowest: float
    locked: int


class Case(NamedTuple):
    """What one transaction does, and how many of them are kept."""

    name: str
    spans: int = 0
    samples: int = 0
    details: int = 20
    literals: bool = False
    read: bool = False


MUST = Case("ten spans, 4 samples, all kept", 10, 4, ALL)
CASES = (
    Case("trivial, as set"),
    Case("ten queries, as set", 10),
    Case("trivial, all kept", 0, 0, ALL),
    Case("ten queries, all kept", 10, 0, ALL),
    MUST,
    Case("ten queries, literals, as set", 10, literals=True),
)


def record_some(tracer: Tracer, case: Case) -> None:
    """Fill the queue with one batch, as requests would."""
    for n in range(BATCH):
        transaction = tracer.begin("web", f"GET /{n % ENDPOINTS}")
        transaction.method, transaction.path, transaction.status = "GET", f"/{n % ENDPOINTS}", 200
        for k in range(case.spans):
            span = open_span("db", "query", leaf=True)
            assert span is not None
            values = f"id = {n} AND name = 'x{n}'" if case.literals else "id = ? AND name = ?"
            span.statement = f"SELECT a, b FROM table_{k} WHERE {values}"
            close_span(span)
        add_samples(transaction, case.samples)
        tracer.end(transaction)


def add_samples(transaction: Transaction, count: int) -> None:
    """Stacks 20 frames deep, of functions that exist."""
    codes = [function.__code__ for function in (record_some, add_samples, work, run, main)] * 4
    stacks = [tuple(part for code in codes for part in (code, 2 * (n % 8))) for n in range(count)]
    transaction.samples = [
        Sample(transaction.start_ns + n, 10_000_000, key, RUNNING) for n, key in enumerate(stacks)
    ]


def work(path: str, seconds: float, case: Case, answers: Any, ready: Any) -> None:
    """One worker: record a batch, write it, for so many seconds."""
    recorder = Recorder(10_000)
    process = Process("bench", "", "1", "here", os.getpid(), time.time_ns(), sys.version.split()[0])
    digest = Digest(Config(max_details=case.details), Origin(), INSIGHTS)
    writer = Writer(recorder, lambda: open_store(f"sqlite:///{path}", process), digest.digest)
    recorder.wake = lambda: None  # nobody but us writes, so that what is measured is ours
    tracing.tracer = Tracer(recorder)
    record_some(tracing.tracer, case)
    writer.flush(30)
    cpu, busy, slowest, written = 0.0, 0.0, 0.0, 0
    ready.wait(60)  # all at once
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        record_some(tracing.tracer, case)
        before, begun = time.process_time(), time.monotonic()
        if not writer.flush(30):
            raise SystemExit("a batch was not written")
        took = time.monotonic() - begun
        cpu += time.process_time() - before
        busy += took
        slowest = max(slowest, took)
        written += BATCH
    writer.close()
    answers.put(Done(written, cpu, busy, slowest, writer.carrier.errors))


def read(path: str, over: Any, answers: Any) -> None:
    """A dashboard that somebody keeps asking."""
    from werkzeug.test import Client

    from apm_agent.web.app import dashboard

    client = Client(dashboard(f"sqlite:///{path}", open_to_all=True))
    slowest, asked = 0.0, 0
    while not over.is_set():
        for question in QUESTIONS:
            begun = time.monotonic()
            answer = client.get(f"/api/v1/{question}")
            assert answer.status_code == 200, answer.text
            slowest, asked = max(slowest, time.monotonic() - begun), asked + 1
    answers.put((asked, slowest))


def run(case: Case, processes: int, seconds: float) -> None:
    """Start the workers and print a row."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/apm.db"
        context = multiprocessing.get_context("spawn")
        answers, read_answers, over = context.Queue(), context.Queue(), context.Event()
        ready = context.Barrier(processes)
        workers = [
            context.Process(target=work, args=(path, seconds, case, answers, ready)) for _ in range(processes)
        ]
        reader = context.Process(target=read, args=(path, over, read_answers))
        for worker in (*workers, *([reader] if case.read else [])):
            worker.start()
        found: list[Done] = [answers.get(timeout=seconds + 120) for _ in workers]
        over.set()
        asked = read_answers.get(timeout=60) if case.read else None
        for worker in (*workers, *([reader] if case.read else [])):
            worker.join()
        written = sum(each.written for each in found)
        rate = sum(each.written / each.busy for each in found)
        micros = sum(each.cpu for each in found) / written * 1e6
        slowest = max(each.slowest for each in found) * 1000
        size, locked = bytes_each(Path(path)), sum(each.locked for each in found)
        print(
            f"{case.name:32} {processes:9} {rate:9.0f} {micros:10.1f} {size:8.0f} {slowest:12.0f} {locked:7}"
            + (f"   {asked[0]} answers, the slowest {asked[1] * 1000:.0f} ms" if asked else ""),
            flush=True,
        )


def bytes_each(path: Path) -> float:
    """What a transaction takes on disk, all tables counted."""
    connection = sqlite3.connect(path)
    kept = connection.execute("SELECT count(*) FROM transactions").fetchone()[0]
    connection.close()
    return float(path.stat().st_size / kept)


def main() -> None:
    """Print the table."""
    given = [text for text in sys.argv[1:] if text != "--must"]
    seconds = float(given[0]) if given else 5.0
    print(
        f"{'':32} {'processes':>9} {'tx/s':>9} {'CPU µs/tx':>10} {'B/tx':>8} {'slowest ms':>12} {'locked':>7}"
    )
    if "--must" not in sys.argv:
        for processes in (1, 4):
            for case in CASES:
                run(case, processes, seconds)
    else:
        run(MUST, 4, seconds)
    run(MUST._replace(name="the same, dashboard reading", read=True), 4, seconds)


if __name__ == "__main__":
    main()
