"""Soak for R1 at a steady pace: 200 requests a second, everything at default; the application must not feel it.

python tests/soak/r01_steady.py [--minutes 20] [--rate 200]

The example shop runs under gunicorn's threads, first for a shorter while without the agent, then with it. A thread
in every worker beats twenty times a second and writes down by how much it was late; a process of its own does the
same and feels no one's GIL, so that a pause of the machine is not taken for ours. Ends with 1 on a breach.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "example_apps"))

from load import drive

from apm_agent import __version__
from apm_agent.queries.connection import connect
from apm_agent.queries.detail import unpack
from apm_agent.queries.health import health
from promises import Page
from records import rows
from servers import EXAMPLES, ROOT, environment, free_port, gunicorn, running

#: Rows of docs/reliability.md that this holds beside its own: a quarter of a million requests, and memory flat.
ROWS = (20,)
#: Calls that take a few milliseconds each, so that two workers can keep pace.
PLAN = {"/": 2, "/orders/{n}": 12, "/orders.csv": 1, "/nowhere/{n}": 1}
WORKERS = 2
#: Megabytes that a worker may grow in the last three quarters of the run.
GROWTH = 2.0
#: Seconds a beat may be late because of us.
LATE = 1.0
#: A beat is the machine's fault when the process beside was late by half as much, so many seconds around it.
_AROUND = 2.0
_BEAT = 0.05
_PART = 30.0
APP = "import os, r01_heart\nr01_heart.start(os.environ['HEARTS'], 'worker')\nfrom shop import app\n"
HEART = f"""
import os, threading, time

def beat(path):
    with open(path, "w", buffering=1) as out:
        worst, told = 0.0, time.monotonic()
        while True:
            due = time.monotonic() + {_BEAT}
            time.sleep({_BEAT})
            now = time.monotonic()
            worst = max(worst, now - due)
            if now - told >= 1:
                with open("/proc/self/statm") as memory:
                    resident = int(memory.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                print(now, worst, resident, time.process_time(), file=out)
                worst, told = 0.0, now

def start(folder, name):
    path = os.path.join(folder, f"{{name}}.{{os.getpid()}}")
    threading.Thread(target=beat, args=(path,), daemon=True).start()

if __name__ == "__main__":
    beat(os.path.join(os.environ["HEARTS"], "beside"))
"""


class Second(NamedTuple):
    """What a heart wrote: when, its latest beat of that second, its process's memory and processor time."""

    at: float
    late: float
    resident: float
    cpu: float


class Run(NamedTuple):
    """What came of one run."""

    workers: list[list[Second]]
    beside: list[Second]
    statuses: Counter[int]
    output: str

    def late(self) -> tuple[float, float]:
        """The latest beat of a worker, and the latest that the machine does not explain."""
        worst = mine = 0.0
        for second in (each for worker in self.workers for each in worker):
            worst = max(worst, second.late)
            near = [other.late for other in self.beside if abs(other.at - second.at) < _AROUND]
            if second.late > 2 * max(near, default=0.0):
                mine = max(mine, second.late)
        return worst, mine

    def cpu_ms(self) -> float:
        """Processor milliseconds of all workers a second, once warm."""
        rates = []
        for worker in self.workers:
            first, last = steady(worker)[0], worker[-1]
            rates.append((last.cpu - first.cpu) / max(last.at - first.at, 1e-9))
        return sum(rates) * 1000


def run(seconds: float, rate: float, folder: Path, **variables: str) -> Run:
    """The shop under load for so long."""
    folder.mkdir()
    (folder / "r01_heart.py").write_text(HEART)
    (folder / "r01_app.py").write_text(APP)
    env = environment(
        EXAMPLE_DATA=str(folder), HEARTS=str(folder), PYTHONFAULTHANDLER="1",
        PYTHONPATH=os.pathsep.join(map(str, (folder, EXAMPLES, ROOT))),
        **variables,
    )  # fmt: skip
    port = free_port()
    beside = subprocess.Popen([sys.executable, str(folder / "r01_heart.py")], env=env)
    try:
        with running(gunicorn("r01_app:app", port), port=port, env=env, cwd=folder) as server:
            statuses: Counter[int] = Counter()
            # Part by part, so that a server that is gone is not asked to the end.
            for part in range(math.ceil(seconds / _PART)):
                if server.process.poll() is None:
                    statuses += drive(server.url, PLAN, rate, min(_PART, seconds - part * _PART), part)
            # What it has to say beyond that it began.
            complaints = [line for line in server.output.splitlines() if "[INFO]" not in line]
    finally:
        beside.kill()
        beside.wait()
    return Run(
        [read(path) for path in sorted(folder.glob("worker.*"))],
        read(folder / "beside"),
        statuses,
        "\n".join(complaints),
    )


def read(path: Path) -> list[Second]:
    """The whole lines of a heart; the last may have been cut."""
    lines = path.read_text().rpartition("\n")[0].splitlines()
    return [Second(*map(float, line.split())) for line in lines]


def steady(seconds: list[Second]) -> list[Second]:
    """The last three quarters."""
    return seconds[len(seconds) // 4 :]


def growth(seconds: list[Second]) -> float:
    """Megabytes grown in the last three quarters: the median of all slopes between minutes, or parts of a short run."""
    warm = steady(seconds)
    size = max(1, len(warm) // 60)
    parts = [warm[at : at + size] for at in range(0, len(warm), size)]
    points = [
        (statistics.median(s.at for s in part), statistics.median(s.resident for s in part)) for part in parts
    ]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2)]
    return statistics.median(slopes) * (points[-1][0] - points[0][0]) / 2**20 if slopes else 0.0


def judge(page: Page, bare: Run, watched: Run, store: str, rate: float) -> None:
    """Everything that was promised, and what came of it."""
    sent = sum(watched.statuses.values())
    answers = ", ".join(
        f"{count} × {status or 'nothing'}" for status, count in sorted(watched.statuses.items())
    )
    page.line(sent > 0 and not watched.statuses[0], f"{sent} requests answered with {answers}")
    page.line(
        len(watched.workers) == WORKERS and not watched.output,
        f"{len(watched.workers)} workers lived, of {WORKERS}; the server said {watched.output or 'nothing'}",
    )
    if not all((*watched.workers, *bare.workers)):
        page.line(False, "a worker never came to life")
        return
    for number, worker in enumerate(watched.workers):
        grown = growth(worker)
        page.line(
            grown <= GROWTH,
            f"worker {number}: {worker[-1].resident / 2**20:.1f} MB at the end, {grown:+.2f} MB in the last three"
            f" quarters (at most {GROWTH:.0f}); without the agent"
            f" {', '.join(f'{growth(other):+.2f}' for other in bare.workers)} in a shorter run",
        )
    worst, mine = watched.late()
    page.line(
        mine < LATE,
        f"latest beat {worst:.3f} s, {mine:.3f} s without pauses of the machine (under {LATE:.0f});"
        f" without the agent {bare.late()[0]:.3f} s; beside {max(s.late for s in watched.beside):.3f} s",
    )
    page.line(
        None,
        f"{watched.cpu_ms() / rate:.2f} ms of the processor a request, {bare.cpu_ms() / rate:.2f} without the agent",
    )
    with connect(f"sqlite:///{store}") as connection:
        processes = health(connection, store, __version__)["processes"]
    page.line(len(processes) == len(watched.workers), f"{len(processes)} processes told of their health")
    lost: Counter[str] = Counter()
    for process in processes:
        lost.update({key: process["recorder"][key] for key in ("dropped", "ignored", "lost")})
        _judge_process(page, process)
    told = ", ".join(f"{count} {name}" for name, count in lost.items())
    [(counted, took)] = rows(store, "SELECT sum(count), sum(duration_ns) FROM rollups WHERE resolution = 60")
    page.line(counted + sum(lost.values()) == sent, f"{counted} requests in the store, {told}")
    # Samples travel in their transaction: where none is lost, only what a transaction had no room for can be.
    without_room = sum(unpack(data)["lost_samples"] for (data,) in rows(store, "SELECT data FROM traces"))
    page.line(not without_room, f"{without_room} samples for which their request had no room")
    [(samples, weight)] = rows(
        store, "SELECT sum(count), sum(weight_ns) FROM profiles WHERE resolution = 600"
    )
    page.line(
        None,
        f"{samples} samples in the store, worth {weight / took * 100:.1f} % of the {took / 1e9:.1f} s that the"
        " requests took",
    )


def _judge_process(page: Page, process: dict[str, Any]) -> None:
    sampler = process["sampler"]
    page.line(
        sampler["cpu_share"] <= sampler["budget"],
        f"process {process['pid']}: the sampler took {sampler['cpu_share'] * 100:.2f} % of a core, its budget is"
        f" {sampler['budget'] * 100:.2f} %; {sampler['looks']} looks, {sampler['achieved_per_s'] or 0:.1f} a second,"
        f" late p90 {sampler['late_ms_p90'] or 0:.2f} ms, {sampler['uncertain_share'] * 100:.1f} % uncertain",
    )
    contained = process["contained"]
    page.line(not contained, f"process {process['pid']}: contained {contained or 'nothing'}")


def main() -> int:
    """Both runs, and one page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second (200)")
    options, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    page = Page()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = run(options.minutes * 15, options.rate, folder / "bare", EXAMPLE_BARE="1")
        store = f"{folder}/apm.db"
        watched = run(
            options.minutes * 60, options.rate, folder / "watched", APM_AGENT_STORE=f"sqlite:///{store}"
        )
        print(
            f"CPython {sys.version.split()[0]}, {options.minutes:g} minutes at {options.rate:g} requests a second"
            f" after {options.minutes / 4:g} without the agent"
        )
        judge(page, bare, watched, store, options.rate)
    print("All holds." if not page.breaches else f"{page.breaches} of this does not hold.")
    return 1 if page.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
