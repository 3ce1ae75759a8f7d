"""How long each question of the dashboard takes on a big store, cold and warm, over an hour, a day and a week.

    python benchmarks/store_pages.py /tmp/big.db [--warm 7] [--cold 3] [--only overview traces]

Asked is the whole application, in this process. Cold: by a process that has asked nothing yet, of a file that the
system has been told to forget. Warm: once more by the same. The clock is set to the newest transaction of the store.
Told are milliseconds by the clock on the wall, and of processor time of the asking thread: where a machine has other
work the latter says what a question costs.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from werkzeug.test import Client

from apm_agent.queries import connection
from apm_agent.web.app import dashboard

RANGES = ("1h", "24h", "7d")
BUDGET = {"overview": 20.0, "endpoints": 20.0}
OTHERS = 50.0
#: Where other work has the processors, the clock on the wall runs on: nothing is stopped for that.
PATIENCE = 120.0

#: question → its parameters, from what other questions answer
Ask = Callable[..., dict[str, Any]]
QUESTIONS: dict[str, Callable[[Ask], dict[str, str]]] = {
    "overview": lambda _: {},
    "endpoints": lambda _: {},
    "groups": lambda _: {},
    "filters": lambda _: {},
    "explain": lambda _: {},
    "endpoint": lambda ask: {"name": _busiest(ask)},
    "traces": lambda _: {},
    "traces, slowest of one": lambda ask: {"name": _busiest(ask), "sort": "duration"},
    "traces, a text": lambda _: {"q": "user=7"},
    "trace": lambda ask: {"id": ask("traces", kept="1")["traces"][0]["id"]},
    "profile": lambda _: {},
    "profile of one": lambda ask: {"name": _busiest(ask)},
    "compare": lambda ask: {"name": _busiest(ask)},
    "queries": lambda _: {},
    "query": lambda ask: {"id": ask("queries")["queries"][0]["id"]},
    "errors": lambda _: {},
    "error": lambda ask: {key: ask("errors")["errors"][0][key] for key in ("type", "frame")},
    "jobs": lambda _: {},
    "memory": lambda _: {},
    "live": lambda _: {},
    "health": lambda _: {},
}


def _busiest(ask: Ask) -> str:
    name: str = ask("endpoints")["endpoints"][0]["name"]
    return name


def asker(path: Path) -> Ask:
    """Asks an application of its own; raises for what is no answer."""
    client = Client(dashboard(f"sqlite:///{path.absolute()}", open_to_all=True))

    def ask(question: str, **parameters: str) -> dict[str, Any]:
        answer = client.get(f"/api/v1/{question}?{urlencode(parameters)}")
        if answer.status_code != 200:
            raise SystemExit(f"{question} {parameters}: {answer.status} {answer.text[:300]}")
        found: dict[str, Any] = json.loads(answer.data)
        return found

    return ask


def times(path: Path, question: str, parameters: dict[str, str], warm: int) -> list[tuple[float, float]]:
    """(wall, processor) ms of the first time and of those after it, in a process of its own."""
    forget(path)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            client = Client(dashboard(f"sqlite:///{path.absolute()}", open_to_all=True))
            found = []
            for _ in range(warm + 1):
                cpu, begun = time.thread_time(), time.perf_counter()
                answer = client.get(f"/api/v1/{question}?{urlencode(parameters)}")
                found.append(((time.perf_counter() - begun) * 1000, (time.thread_time() - cpu) * 1000))
                if answer.status_code != 200:
                    found = []
                    break
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return [(wall, cpu) for wall, cpu in json.loads(data or b"[]")]


def forget(path: Path) -> None:
    """Ask the system to drop what it has of the file."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def at(many: list[float], share: float) -> float:
    """A quantile of few."""
    return sorted(many)[min(len(many) - 1, int(share * len(many)))]


def set_clock(path: Path) -> None:
    """Make it now what it was when the store was left."""
    db = sqlite3.connect(path)
    newest = db.execute("SELECT max(started_at) FROM transactions").fetchone()[0] / 1e9 + 5
    db.close()
    real, real_ns = time.time, time.time_ns
    behind = real() - newest
    time.time = lambda: real() - behind
    time.time_ns = lambda: real_ns() - int(behind * 1e9)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--warm", type=int, default=7)
    parser.add_argument("--cold", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    set_clock(given.path)
    connection.PATIENCE = PATIENCE
    ask = asker(given.path)
    print("| question | range | cold: wall | CPU | warm: median wall | p95 | CPU median | p95 | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, parameters in QUESTIONS.items():
        if given.only and name not in given.only:
            continue
        question, more = name.partition(",")[0].partition(" ")[0], parameters(ask)
        for each in RANGES:
            first: list[tuple[float, float]] = []
            again: list[tuple[float, float]] = []
            for _ in range(given.cold):
                found = times(given.path, question, {"range": each, **more}, given.warm)
                first, again = first + found[:1], again + found[1:]
            if not first:
                print(f"| {name} | {each} | no answer |", flush=True)
                continue
            wall, cpu = zip(*again, strict=True)
            over = at(list(cpu), 0.95) > BUDGET.get(question, OTHERS)
            cold = " | ".join(f"{at(list(part), 0.5):.0f}" for part in zip(*first, strict=True))
            print(
                f"| {name} | {each} | {cold} |"
                f" {at(list(wall), 0.5):.1f} | {at(list(wall), 0.95):.1f} | {at(list(cpu), 0.5):.1f} |"
                f" {at(list(cpu), 0.95):.1f} | {'over' if over else ''} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
