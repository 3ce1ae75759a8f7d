"""Soak of everything at once: the example apps under their real servers while workers, clock, disk and store misbehave.

python tests/soak/chaos.py [--minutes 60] [--rate 10] [--seed 1]

Each app is called at a rate, and each answer compared with the one the same app gave without the agent. Workers are
killed, told to end and recycled meanwhile, masters reload and fork anew, the store is locked, deleted, cut,
overwritten and its disk filled, the wall clock of all workers is set back and forward, captures are armed and the
dashboard is read. In the last part nothing is done to them any more: each must record again. Ends with 1 on a breach.
"""

from __future__ import annotations

import argparse
import mmap
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "example_apps"))

import psutil
from load import PLANS, call, paths

from apm_agent.queries import arms
from apm_agent.queries.connection import connect
from damage import FAULTS, mount
from records import rows
from servers import EXAMPLES, PYTHON, ROOT, Program, environment, free_port, gunicorn, running, uvicorn
from witness import until

#: Rows of docs/reliability.md that this holds.
ROWS = (4, 7, 19, 20, 25, 30, 34, 37, 42)
#: Not called: what the apps themselves keep, or take long for.
_WITHOUT = {"/recommended", "/report", "/archive", "/events"}
#: Seconds around a killed worker in which its connections break.
_AROUND = 3.0
_EACH = 4.0
_OF_THE_STORE = ("writing to the store", "pruning the store", "damaged store")
#: What a process may have grown by between the second and the last quarter of its life, by its lows: a store that was
#: away in one and open in the other is three or four descriptors.
_MEGABYTES, _THREADS, _DESCRIPTORS = 8.0, 2, 5
#: The workers' wall clock, moved by what a file says.
CLOCK = """
import mmap, struct, time
_shown = open({step!r}, "rb")
_step, _really = mmap.mmap(_shown.fileno(), 8, access=mmap.ACCESS_READ), time.time_ns
time.time_ns = lambda: _really() + struct.unpack("<q", _step)[0]
"""


class Call(NamedTuple):
    at: float
    app: str
    path: str
    status: int


class Apps:
    """All example apps under their servers, and a process's life as seen from outside."""

    def __init__(self, stack: ExitStack, folder: Path, **variables: str) -> None:
        upstream = free_port()
        env = environment(
            EXAMPLE_DATA=str(folder),
            FEED_UPSTREAM=f"http://127.0.0.1:{upstream}",
            PYTHONHASHSEED="0",
            **variables,
        )
        seed = {**env, "APM_AGENT_ENABLED": "off"}
        subprocess.run([PYTHON, "manage.py", "seed"], cwd=EXAMPLES, env=seed, check=True)
        self.ports = {name: free_port() for name in ("shop", "feed", "notes")}
        recycled = ("--max-requests", "400", "--max-requests-jitter", "100")
        commands = {
            "shop": gunicorn("shop:app", self.ports["shop"], *recycled),
            "feed": uvicorn("feed:app", self.ports["feed"], "--workers", "2"),
            "notes": gunicorn("notes.wsgi", self.ports["notes"], "--preload", "--threads", "1"),
        }  # fmt: skip
        stack.enter_context(
            running([PYTHON, "upstream.py", str(upstream)], port=upstream, env=env, cwd=EXAMPLES)
        )
        self.programs: dict[str, Program] = {}
        for name, command in commands.items():
            given = {**env, "APM_AGENT_SERVICE": name}
            self.programs[name] = stack.enter_context(
                running(command, port=self.ports[name], env=given, cwd=EXAMPLES)
            )

    def ask(self, app: str, path: str) -> int:
        return call("127.0.0.1", self.ports[app], path)

    def workers(self, app: str) -> list[psutil.Process]:
        found = psutil.Process(self.programs[app].pid).children(recursive=True)
        return [each for each in found if "resource_tracker" not in " ".join(each.cmdline())]


class Chaos:
    """What is done to them, one thing after the other; `done` counts, `killed` says when connections broke."""

    def __init__(self, apps: Apps, store: Path, step: mmap.mmap, seed: int) -> None:
        self.apps, self.store, self.step = apps, store, step
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.killed: list[tuple[float, str]] = []
        self.faults: list[tuple[float, float]] = []

    def one(self) -> None:
        kinds = [self.kill, self.end, self.reload, self.set_clock, self.arm, self.damage, self.damage]
        kind = self.chance.choice(kinds)
        try:
            kind()
        except (OSError, psutil.Error) as error:  # it ended by itself, or the file is about to be made
            self.done[f"{kind.__name__} missed: {type(error).__name__}"] += 1

    def kill(self) -> None:
        self._signal(signal.SIGKILL, "killed")

    def end(self) -> None:
        self._signal(signal.SIGTERM, "told to end")

    def _signal(self, number: signal.Signals, word: str) -> None:
        app = self.chance.choice(list(self.apps.programs))
        worker = self.chance.choice(self.apps.workers(app))
        self.killed.append((time.monotonic(), app))
        worker.send_signal(number)
        self.done[f"worker {word}"] += 1

    def reload(self) -> None:
        app = self.chance.choice(["shop", "notes"])
        self.killed.append((time.monotonic(), app))
        self.apps.programs[app].process.send_signal(signal.SIGHUP)
        self.done["master reloaded"] += 1

    def set_clock(self) -> None:
        seconds = self.chance.choice([-86_400, -60, 0, 60, 3600])
        self.step[:] = struct.pack("<q", seconds * 10**9)
        self.done["clock set"] += 1

    def arm(self) -> None:
        endpoint = self.chance.choice(["GET /orders", "GET /ranking", "GET /authors/"])
        capture = self.chance.choice(["cprofile", "memory", "lines"])
        try:
            with connect(f"sqlite:///{self.store}") as connection:
                arms.arm(connection, endpoint, capture, 3, 20.0, "")
            self.done["armed"] += 1
        except Exception as error:  # the store is new, and knows of nothing yet
            self.done[f"not armed: {type(error).__name__}"] += 1

    def damage(self) -> None:
        name = self.chance.choice(
            [each for each in FAULTS if each != "full" or os.path.ismount(self.store.parents[1])]
        )
        begun = time.monotonic()
        with FAULTS[name](self.store):
            time.sleep(self.chance.uniform(0.2, 7.0 if name in ("locked", "full") else 1.0))
        self.faults.append((begun, time.monotonic()))
        self.done[f"store {name.replace('_', ' ')}"] += 1


class Lives:
    """Memory, threads and descriptors of every worker, each two seconds."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], list[tuple[float, int, int]]] = defaultdict(list)

    def look(self, apps: Apps) -> None:
        for app in apps.programs:
            for worker in apps.workers(app):
                try:
                    with worker.oneshot():
                        now = (worker.memory_info().rss / 2**20, worker.num_threads(), worker.num_fds())
                except psutil.Error:
                    continue
                self.seen[app, worker.pid].append(now)

    def grown(self) -> list[tuple[str, int, tuple[float, ...]]]:
        """App, looks, and how far the lows of the last quarter are above those of the second, for those who lived."""
        found = []
        for (app, _), looks in self.seen.items():
            quarter = len(looks) // 4
            if quarter >= 5:
                before, after = (
                    zip(*looks[quarter : 2 * quarter], strict=True),
                    zip(*looks[-quarter:], strict=True),
                )
                found.append(
                    (app, len(looks), tuple(min(b) - min(a) for a, b in zip(before, after, strict=True)))
                )
        return found


def drive(  # noqa: PLR0917  (a thread's work)
    apps: Apps, app: str, rate: float, over: threading.Event, calls: list[Call], seed: int
) -> None:
    """Calls of one app at a rate, one after the other by each of three clients."""
    plan = {path: weight for path, weight in PLANS[app].items() if path not in _WITHOUT}
    for path in paths(plan, seed):
        if over.wait(1 / rate):
            return
        calls.append(Call(time.monotonic(), app, path, apps.ask(app, path)))


def read(port: int, over: threading.Event, statuses: Counter[int]) -> None:
    """Somebody looks at the pages all the time."""
    while not over.wait(0.5):
        for question in (
            "overview",
            "endpoints?range=15m",
            "traces?range=15m",
            "health",
            "live",
            "profile?range=15m",
        ):
            statuses[call("127.0.0.1", port, f"/api/v1/{question}")] += 1


def run(folder: Path, minutes: float, rate: float, seed: int) -> int:
    """All of it; how many promises were broken."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = mount(disk, "size=96m")
    store, step = disk / "store" / "apm.db", folder / "step"
    step.write_bytes(bytes(8))
    (folder / "clock").mkdir()
    (folder / "clock" / "sitecustomize.py").write_text(CLOCK.format(step=str(step)))
    try:
        with ExitStack() as stack, step.open("r+b") as shown:
            (folder / "bare").mkdir()
            expected = answers(folder / "bare")
            apps = Apps(
                stack, folder, APM_AGENT_STORE=f"sqlite:///{store}", APM_AGENT_MAX_SIZE="32MB",
                PYTHONPATH=os.pathsep.join((str(folder / "clock"), str(ROOT))),
            )  # fmt: skip
            chaos = Chaos(apps, store, mmap.mmap(shown.fileno(), 8), seed)
            return judge(stack, apps, chaos, expected, minutes * 60, rate)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", disk], check=True)


def answers(folder: Path) -> dict[tuple[str, str], int]:
    """What each path answers without the agent."""
    with ExitStack() as stack:
        apps = Apps(stack, folder, EXAMPLE_BARE="1")
        return {
            (app, path.format(n=n)): apps.ask(app, path.format(n=n))
            for app in apps.programs
            for path in PLANS[app]
            if path not in _WITHOUT
            for n in (range(1, 21) if "{n}" in path else (1,))
        }


def judge(  # noqa: PLR0917  (all there is)
    stack: ExitStack,
    apps: Apps,
    chaos: Chaos,
    expected: dict[tuple[str, str], int],
    seconds: float,
    rate: float,
) -> int:
    calls: list[Call] = []
    asked: Counter[int] = Counter()
    over, lives, store = threading.Event(), Lives(), chaos.store
    assert until(lambda: [apps.ask(app, "/") for app in apps.programs] and store.exists()), (
        "nothing is recorded"
    )
    port = free_port()
    command = [PYTHON, "-m", "apm_agent", "dashboard", "--store", f"sqlite:///{store}", "--port", str(port)]
    dashboard = stack.enter_context(running([*command, "--no-browser"], port=port))
    threads = [
        threading.Thread(target=drive, args=(apps, app, rate / 3, over, calls, number))
        for app in apps.programs
        for number in range(3)
    ]
    threads.append(threading.Thread(target=read, args=(port, over, asked)))
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    quiet = begun + seconds * 0.8
    looking = threading.Thread(target=lambda: _look(lives, apps, over))
    looking.start()
    while time.monotonic() < quiet:
        time.sleep(chaos.chance.uniform(0.5, 1.5) * _EACH)
        chaos.one()
    chaos.step[:] = bytes(8)
    time.sleep(max(10.0, begun + seconds - time.monotonic()))
    over.set()
    for thread in (*threads, looking):
        thread.join()
    return tell(apps, chaos, expected, calls, asked, lives, dashboard)


def _look(lives: Lives, apps: Apps, over: threading.Event) -> None:
    while not over.wait(2.0):
        lives.look(apps)


def tell(  # noqa: PLR0917  (all there is)
    apps: Apps, chaos: Chaos, expected: dict[tuple[str, str], int], calls: list[Call], asked: Counter[int],
    lives: Lives, dashboard: Program,
) -> int:  # fmt: skip
    """Everything that was promised, a line each."""
    broken = 0

    def line(holds: bool | None, text: str) -> None:
        nonlocal broken
        broken += holds is False
        print(f"{'     ' if holds is None else 'ok   ' if holds else 'NOT  '} {text}", flush=True)

    print(", ".join(f"{count} × {what}" for what, count in sorted(chaos.done.items())))
    other = [each for each in calls if each.status != expected[each.app, each.path]]
    excused = [each for each in other if not each.status and _at_a_kill(each, chaos.killed)]
    ours = [each for each in other if each not in excused]
    line(
        bool(calls) and not ours, f"{len(calls)} answers as without the agent but for {len(ours)}: {ours[:5]}"
    )
    line(None, f"{len(excused)} connections broke with a worker that was killed or told to end")
    for app, program in apps.programs.items():
        said = Counter(text for text in program.output.splitlines() if text.startswith("apm-agent"))
        line(program.process.poll() is None, f"{app}: lives; of us it said {dict(said) or 'nothing'}")
        wrong = [text for text in said if not any(word in text for word in _OF_THE_STORE)]
        line(not wrong, f"{app}: nothing but the store was at fault {wrong[:3]}")
    grown = lives.grown()
    for name, index, most in (
        ("MB", 0, _MEGABYTES),
        ("threads", 1, _THREADS),
        ("descriptors", 2, _DESCRIPTORS),
    ):
        worst = max((by[index] for _, _, by in grown), default=0)
        line(
            worst <= most,
            f"{worst:+.1f} {name} in the worst of {len(grown)} workers' lives (at most {most:g})",
        )
    line(
        dashboard.process.poll() is None and asked[200] > 0, f"the dashboard lives; it answered {dict(asked)}"
    )
    now = time.time_ns()
    late = (
        "SELECT count(*) FROM transactions t JOIN endpoints e ON e.id = t.endpoint_id"
        " WHERE service = ? AND started_at > ?"
    )
    for app in apps.programs:
        [(count,)] = _read(chaos.store, late, app, now - 10 * 10**9)
        line(
            isinstance(count, int) and count > 0, f"{app}: {count} requests of the last 10 s are in the store"
        )
    line(_read(chaos.store, "PRAGMA integrity_check") == [("ok",)], "the store is whole")
    print("All holds." if not broken else f"{broken} of this does not hold.")
    return broken


def _read(store: Path, sql: str, *parameters: object) -> list[tuple[object, ...]]:
    """What a stranger finds; or why it finds nothing."""
    try:
        return rows(store, sql, *parameters)
    except sqlite3.Error as error:
        return [(f"no ({error})",)]


def _at_a_kill(each: Call, killed: list[tuple[float, str]]) -> bool:
    return any(app == each.app and -_AROUND < each.at - at < _AROUND for at, app in killed)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=10.0, help="requests a second of each app (10)")
    parser.add_argument("--seed", type=int, default=1)
    options, _ = parser.parse_known_args()  # the options of other soaks are not for this one
    with tempfile.TemporaryDirectory() as name:
        return 1 if run(Path(name), options.minutes, options.rate, options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
