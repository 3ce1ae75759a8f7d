"""Soak of everything at once: the example apps under their real servers while workers, clock, disk and store misbehave.

python tests/soak/chaos.py [--minutes 60] [--rate 10] [--seed 1]

Each app is called at a rate, and each answer compared with the one the same app gave without the agent. Workers are
killed, told to end and recycled meanwhile, masters reload and fork anew, the store is locked, deleted, cut,
overwritten and its disk filled, the wall clock of all workers is set back and forward, captures are armed and the
dashboard is read. In the last part nothing is done to them any more: each must record again. It ends with a table of
what befell them and what was answered meanwhile, and with 1 on a breach.
"""

from __future__ import annotations

import argparse
import mmap
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "example_apps"))

from load import PLANS, call, paths

from damage import mount
from misfortunes import CLOCK, LOOKS, Apps, Lives, Misfortunes
from promises import Page
from records import rows
from servers import PYTHON, ROOT, Program, free_port, running
from witness import until

#: Rows of docs/reliability.md that this holds.
ROWS = (4, 7, 19, 20, 25, 30, 34, 37, 42)
#: Not called: what the apps themselves keep, or take long for.
_WITHOUT = {"/recommended", "/report", "/archive", "/events"}
_EACH = 4.0
_OF_THE_STORE = ("writing to the store", "pruning the store", "damaged store")
#: What a process may have grown by between the second and the last quarter of its life, by its lows: a store that was
#: away in one and open in the other is three or four descriptors.
_GROWN = (("MB", 8.0), ("threads", 2), ("descriptors", 5))
#: What gunicorn says of a worker that ended otherwise than we had it end.
_CRASHED = re.compile(r"was sent SIG(?!KILL|TERM)\w+|exited with code (?!0)\d+")
_ASKED = (
    "overview", "endpoints?range=15m", "traces?range=15m", "health", "live", "profile?range=15m", "errors", "queries",
)  # fmt: skip


class Call(NamedTuple):
    at: float
    app: str
    path: str
    status: int


class Soak:
    """A run's parts, and what was seen in it."""

    def __init__(self, apps: Apps, misfortunes: Misfortunes, expected: dict[tuple[str, str], int]) -> None:
        self.apps, self.misfortunes, self.expected = apps, misfortunes, expected
        self.calls: list[Call] = []
        self.read: Counter[tuple[str, int]] = Counter()
        self.lives = Lives()
        self.over = threading.Event()
        self.broke: list[str] = []

    def drive(self, app: str, rate: float, seed: int) -> None:
        """Calls of one app at a rate, one after the other."""
        plan = {path: weight for path, weight in PLANS[app].items() if path not in _WITHOUT}
        for path in paths(plan, seed):
            if self.over.wait(1 / rate):
                return
            self.calls.append(Call(time.monotonic(), app, path, self.apps.ask(app, path)))

    def ask(self, port: int) -> None:
        """Somebody looks at the pages all the time."""
        while not self.over.wait(0.5):
            for question in _ASKED:
                self.read[question, call("127.0.0.1", port, f"/api/v1/{question}")] += 1

    def look(self) -> None:
        while not self.over.wait(2.0):
            self.lives.look(self.apps)

    def threads(self, rate: float, port: int) -> list[threading.Thread]:
        """Three clients of each app, somebody at the dashboard, and who looks at the workers."""
        works: list[tuple[Any, ...]] = [
            (self.drive, app, rate / 3, number) for app in self.apps.programs for number in range(3)
        ]
        works += [(self.ask, port), (self.look,)]
        return [threading.Thread(target=self._noting, args=each) for each in works]

    def _noting(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception as error:
            self.broke.append(f"{work.__name__}: {error!r}")  # a client that is gone is no proof of anything
            raise


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
            misfortunes = Misfortunes(apps, store, mmap.mmap(shown.fileno(), 8), seed)
            return soak(stack, Soak(apps, misfortunes, expected), minutes * 60, rate)
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


def soak(stack: ExitStack, seen: Soak, seconds: float, rate: float) -> int:
    """Everything at once for so long; the last fifth in peace."""
    apps, misfortunes, store = seen.apps, seen.misfortunes, seen.misfortunes.store
    assert until(lambda: [apps.ask(app, "/") for app in apps.programs] and store.exists()), (
        "nothing is recorded"
    )
    port = free_port()
    command = [PYTHON, "-m", "apm_agent", "dashboard", "--store", f"sqlite:///{store}", "--port", str(port)]
    dashboard = stack.enter_context(running([*command, "--no-browser"], port=port))
    threads = seen.threads(rate, port)
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    try:
        while time.monotonic() < begun + seconds * 0.8:
            time.sleep(misfortunes.chance.uniform(0.5, 1.5) * _EACH)
            misfortunes.one()
        misfortunes.step[:] = bytes(8)
        time.sleep(max(10.0, begun + seconds - time.monotonic()))
    finally:
        seen.over.set()
        for thread in threads:
            thread.join()
    return tell(seen, dashboard)


def tell(seen: Soak, dashboard: Program) -> int:
    """Everything that was promised, a line each, and the table."""
    page, apps, store = Page(), seen.apps, seen.misfortunes.store
    other = [each for each in seen.calls if each.status != seen.expected[each.app, each.path]]
    kills = [*(each for each in seen.misfortunes.done if each.breaks), *seen.lives.gone]
    excused = [
        each for each in other if not each.status and any(kill.near(each.at, each.app) for kill in kills)
    ]
    ours = [each for each in other if each not in excused]
    page.line(
        bool(seen.calls) and not ours,
        f"{len(seen.calls)} answers as without the agent but for {len(ours)} {ours[:5] or ''}",
    )
    page.line(
        None, f"{len(excused)} connections broke with a worker that was killed, told to end or recycled"
    )
    page.line(not seen.broke, f"all clients called to the end {seen.broke or ''}")
    for app, program in apps.programs.items():
        said = Counter(
            text.partition(" as /")[0] for text in program.output.splitlines() if text.startswith("apm-agent")
        )
        wrong = [text for text in said if not any(word in text for word in _OF_THE_STORE)]
        page.line(
            program.process.poll() is None and not wrong,
            f"{app}: lives; only the store was at fault, of us it said {dict(said)}",
        )
        crashed = _CRASHED.findall(program.output)
        page.line(not crashed, f"{app}: no worker ended otherwise than it was told to {crashed or ''}")
    grown = seen.lives.grown()
    for index, (name, most) in enumerate(_GROWN):
        worst = max((by[index] for by in grown), default=0)
        page.line(
            worst <= most if grown else None,
            f"{worst:+.1f} {name} in the worst of {len(grown)} workers that lived {2 * LOOKS} s or longer (at most"
            f" {most:g}), of {len(seen.lives.seen)}",
        )
    answered = Counter[int]()
    for (_, status), count in seen.read.items():
        answered[status] += count
    failed = sorted({question for question, status in seen.read if status not in (200, 503)})
    page.line(
        dashboard.process.poll() is None and answered[200] > 0 and not failed,
        f"the dashboard lives, and answered {dict(answered)}; neither 200 nor 503 {failed or 'nothing'}",
    )
    recorded(page, seen)
    page.line(_read(store, "PRAGMA integrity_check") == [("ok",)], "the store is whole")
    table(seen, ours, excused)
    print("All holds." if not page.breaches else f"{page.breaches} of this does not hold.")
    return page.breaches


def recorded(page: Page, seen: Soak) -> None:
    """Each app records again once nothing is done to it any more."""
    late = (
        "SELECT count(*) FROM transactions t JOIN endpoints e ON e.id = t.endpoint_id"
        " WHERE service = ? AND started_at > ?"
    )
    for app in seen.apps.programs:
        [(count,)] = _read(seen.misfortunes.store, late, app, time.time_ns() - 10 * 10**9)
        page.line(
            isinstance(count, int) and count > 0, f"{app}: {count} requests of the last 10 s are in the store"
        )


def table(seen: Soak, ours: list[Call], excused: list[Call]) -> None:
    """What befell them, how often, and what was answered meanwhile."""
    print(
        f"\n{'what':40} {'times':>6} {'answers around it':>18} {'broken with a worker':>21} {'of our making':>14}"
    )
    befell = [*seen.misfortunes.done, *seen.lives.gone]
    for what in sorted({each.what for each in befell}):
        these = [each for each in befell if each.what == what]
        counts = [
            sum(any(each.near(one.at, one.app) for each in these) for one in calls)
            for calls in (seen.calls, excused, ours)
        ]
        print(f"{what:40} {len(these):6} {counts[0]:18} {counts[1]:21} {counts[2]:14}")
    for what, count in sorted(seen.misfortunes.missed.items()):
        print(f"{'not done, ' + what:40} {count:6}")
    print()


def _read(store: Path, sql: str, *parameters: object) -> list[tuple[object, ...]]:
    """What a stranger finds; or why it finds nothing."""
    try:
        return rows(store, sql, *parameters)
    except sqlite3.Error as error:
        return [(f"no ({error})",)]


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
