"""The example apps under their real servers, and what befalls them: workers, clock, disk and store misbehave."""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import subprocess
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
from load import call

from apm_agent.errors import ApmError
from apm_agent.queries import arms
from apm_agent.queries.connection import connect
from damage import FAULTS
from servers import EXAMPLES, PYTHON, Program, environment, free_port, gunicorn, running, uvicorn

#: Seconds around a killed worker in which its connections break.
AROUND = 3.0
#: Looks at a worker, two seconds apart, from which on its growth is judged: in its first minute it learns its code.
LOOKS = 60
#: The workers' wall clock, moved by what a file says.
CLOCK = """
import mmap, struct, time
_shown = open({step!r}, "rb")
_step, _really = mmap.mmap(_shown.fileno(), 8, access=mmap.ACCESS_READ), time.time_ns
time.time_ns = lambda: _really() + struct.unpack("<q", _step)[0]
"""


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
        found = []
        for each in psutil.Process(self.programs[app].pid).children(recursive=True):
            with suppress(psutil.Error):  # it was killed a moment ago
                if "resource_tracker" not in " ".join(each.cmdline()):
                    found.append(each)
        return found


class Befell(NamedTuple):
    """One misfortune: what, to which app (all of them where that is empty), from when and until when."""

    what: str
    app: str
    begun: float
    ended: float
    breaks: bool = False

    def near(self, at: float, app: str) -> bool:
        """Whether a call at a time may have met it."""
        return self.app in ("", app) and self.begun - AROUND < at < self.ended + AROUND


class Misfortunes:
    """What is done to them, one thing after the other; `done` tells each, `missed` what could not be done."""

    def __init__(self, apps: Apps, store: Path, step: mmap.mmap, seed: int) -> None:
        self.apps, self.store, self.step = apps, store, step
        self.chance = random.Random(seed)
        self.done: list[Befell] = []
        self.missed: Counter[str] = Counter()

    def one(self) -> None:
        kinds = [self.kill, self.end, self.reload, self.set_clock, self.arm, self.damage, self.damage]
        kind = self.chance.choice(kinds)
        try:
            kind()
        # It ended by itself, the file is about to be made, or is new and knows of no endpoint yet.
        except (OSError, psutil.Error, ApmError) as error:
            self.missed[f"{kind.__name__}: {type(error).__name__}"] += 1

    def kill(self) -> None:
        self._signal(signal.SIGKILL, "killed")

    def end(self) -> None:
        self._signal(signal.SIGTERM, "told to end")

    def reload(self) -> None:
        app = self.chance.choice(["shop", "notes"])
        begun, old = time.monotonic(), self.apps.workers(app)
        self.apps.programs[app].process.send_signal(signal.SIGHUP)
        self._gone("master reloaded, workers forked anew", app, begun, old)

    def set_clock(self) -> None:
        seconds = self.chance.choice([-86_400, -60, 0, 60, 3600])
        self._note("clock set")
        self.step[:] = struct.pack("<q", seconds * 10**9)

    def arm(self) -> None:
        endpoint = self.chance.choice(["GET /orders", "GET /ranking", "GET /authors/"])
        capture = self.chance.choice(["cprofile", "memory", "lines"])
        with connect(f"sqlite:///{self.store}") as connection:
            arms.arm(connection, endpoint, capture, 3, 20.0, "")
        self._note(f"{capture} armed")

    def damage(self) -> None:
        known = [each for each in FAULTS if each != "full" or os.path.ismount(self.store.parents[1])]
        name = self.chance.choice(known)
        begun = time.monotonic()
        with FAULTS[name](self.store):
            time.sleep(self.chance.uniform(0.2, 7.0 if name in ("locked", "full") else 1.0))
        self.done.append(Befell(f"store {name.replace('_', ' ')}", "", begun, time.monotonic()))

    def _signal(self, number: signal.Signals, word: str) -> None:
        app = self.chance.choice(list(self.apps.programs))
        workers = self.apps.workers(app)
        if not workers:
            raise psutil.NoSuchProcess(0, msg="all are about to be made")
        worker = self.chance.choice(workers)
        begun = time.monotonic()
        worker.send_signal(number)
        self._gone(f"worker {word}", app, begun, [worker])

    def _gone(self, what: str, app: str, begun: float, workers: list[psutil.Process]) -> None:
        """Note it, until those who were to end have: with half a minute's grace, on a busy machine some take it."""
        psutil.wait_procs(workers, 40)
        self.done.append(Befell(what, app, begun, time.monotonic(), breaks=True))

    def _note(self, what: str, app: str = "") -> None:
        now = time.monotonic()
        self.done.append(Befell(what, app, now, now))


class Lives:
    """Memory, threads and descriptors of every worker, each two seconds, and when one was gone."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], list[tuple[float, int, int]]] = defaultdict(list)
        self.gone: list[Befell] = []
        self._here: dict[tuple[str, int], float] = {}

    def look(self, apps: Apps) -> None:
        for app in apps.programs:
            workers, now_ = apps.workers(app), time.monotonic()
            here = {(app, each.pid) for each in workers}
            for one in [one for one in self._here if one[0] == app and one not in here]:
                # gunicorn breaks connections that wait for a worker it recycles, ours or not
                self.gone.append(Befell("worker recycled", app, self._here.pop(one), now_, breaks=True))
            self._here.update(dict.fromkeys(here, now_))
            for worker in workers:
                try:
                    with worker.oneshot():
                        now = (worker.memory_info().rss / 2**20, worker.num_threads(), worker.num_fds())
                except psutil.Error:
                    continue
                self.seen[app, worker.pid].append(now)

    def grown(self) -> list[tuple[float, ...]]:
        """How far the lows of the last quarter are above those of the second, for those who lived long enough."""
        found = []
        for looks in self.seen.values():
            quarter = len(looks) // 4
            if len(looks) >= LOOKS:
                before = zip(*looks[quarter : 2 * quarter], strict=True)
                after = zip(*looks[-quarter:], strict=True)
                found.append(tuple(min(b) - min(a) for a, b in zip(before, after, strict=True)))
        return found
