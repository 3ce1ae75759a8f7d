"""What the agent adds to the start of a process and to its first request, in fresh interpreters that take turns.

    python benchmarks/startup.py [--rounds 15] [--json out.json]

Each figure is the median over interpreters: importing the package, installing the agent, and the first requests to
the same application without the agent and with it. The first one starts the agent's threads. The interpreter that
is started in has asyncio and subprocess imported, as most applications have.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from overhead import CASES, _rss_kib

#: Not Starlette: it builds its middlewares, and so installs the agent, at the lifespan's start, which the cases of
#: `overhead` leave out; there and under servers told to leave it out, the first request pays for install().
ASKED = ("raw_wsgi", "raw_asgi", "flask", "django")


def worker(case: str) -> None:
    """Time one start, in this process, and print it as JSON."""
    told: dict[str, float] = {}
    if case == "start":
        before, rss, at = len(sys.modules), _rss_kib(), time.perf_counter_ns()
        import apm_agent

        told["import_ms"] = (time.perf_counter_ns() - at) / 1e6
        told["import_modules"] = len(sys.modules) - before
        before, at = len(sys.modules), time.perf_counter_ns()
        apm_agent.install()
        told["install_ms"] = (time.perf_counter_ns() - at) / 1e6
        told["install_modules"] = len(sys.modules) - before
        told["rss_mib"] = (_rss_kib() - rss) / 1024
    else:
        run = CASES[case]()
        for name in ("first_ms", "second_ms", "third_ms"):
            at = time.perf_counter_ns()
            run(1)
            told[name] = (time.perf_counter_ns() - at) / 1e6
    print(json.dumps(told), flush=True)


def _once(case: str, mode: str, folder: str, number: int) -> dict[str, float]:
    env = {**os.environ, "MODE": mode, "APM_AGENT_STORE": f"sqlite:///{folder}/{case}{number}/apm.db"}
    done = subprocess.run(
        [sys.executable, __file__, "--worker", case], capture_output=True, text=True, env=env, cwd=folder, check=True
    )  # fmt: skip
    told: dict[str, float] = json.loads(done.stdout)
    return told


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json")
    parser.add_argument("--worker")
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    results: dict[str, Any] = {"python": sys.version.split()[0]}
    with tempfile.TemporaryDirectory() as folder:
        start = medians([_once("start", "agent", folder, i) for i in range(options.rounds)])
        results["start"] = start
        print(
            "import {import_ms:.1f} ms, {import_modules:.0f} modules; install {install_ms:.1f} ms, "
            "{install_modules:.0f} modules; together {rss_mib:.1f} MiB".format(**start)
        )
        print(f"{'case':12} {'bare 1st ms':>12} {'2nd':>8} {'agent 1st ms':>13} {'2nd':>8} {'1st adds':>9}")
        for case in ASKED:
            rows: dict[str, list[dict[str, float]]] = {"bare": [], "agent": []}
            for i in range(options.rounds):
                for mode, found in rows.items():
                    found.append(_once(case, mode, folder, i))
            bare, agent = medians(rows["bare"]), medians(rows["agent"])
            results[case] = {"bare": bare, "agent": agent}
            print(
                f"{case:12} {bare['first_ms']:12.2f} {bare['second_ms']:8.2f} {agent['first_ms']:13.2f}"
                f" {agent['second_ms']:8.2f} {agent['first_ms'] - bare['first_ms']:9.2f}",
                flush=True,
            )
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
