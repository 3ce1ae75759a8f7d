"""An application that itself writes down what it served, under a real gunicorn: the witness beside the store."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import psutil

from records import rows
from servers import ROOT, Program, environment, free_port, gunicorn, running

APP = """
import os, time
import apm_agent

served = os.open(os.environ["SERVED"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
born = {}

def site(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hang":
        time.sleep(60)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    pid, now = os.getpid(), time.monotonic_ns()
    os.write(served, f"{pid} {now} {path} {born.setdefault(pid, now)}\\n".encode())
    return [b"ok"]

app = apm_agent.wsgi(site, service="witness")
"""


class Served(NamedTuple):
    """A request as the application saw it; `at` is the machine's monotonic clock. `born` is when its process answered
    first: of a few hundred workers on a busy machine some get the number that one of them had before.
    """

    pid: int
    at: int
    path: str
    born: int


class Site:
    """The running application, its store, and what it wrote down."""

    def __init__(self, program: Program, store: Path, told: Path) -> None:
        self.program = program
        self.store = store
        self._told = told

    def ask(self, path: str = "/") -> int:
        """The status of one request; 0 when there was no answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.program.port or 0, timeout=20)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            client.close()

    def served(self) -> list[Served]:
        """All requests the application answered, in the order it did; the last line may have been cut."""
        lines = self._told.read_text().rpartition("\n")[0].splitlines() if self._told.exists() else []
        return [Served(int(pid), int(at), path, int(born)) for pid, at, path, born in map(str.split, lines)]

    def workers(self) -> list[int]:
        """The processes that serve now."""
        return [child.pid for child in psutil.Process(self.program.pid).children()]

    def kept(self) -> set[tuple[int, str]]:
        """Process and path of every request in the store."""
        sql = "SELECT p.pid, t.path FROM transactions t JOIN processes p ON p.id = t.process_id"
        return set(rows(self.store, sql))


@contextmanager
def serving(folder: Path, *options: str, store: Path | None = None, **variables: str) -> Iterator[Site]:
    """The witness under gunicorn with two sync workers; `options` are gunicorn's."""
    folder.mkdir(exist_ok=True)
    (folder / "witness_app.py").write_text(APP)
    port, told = free_port(), folder / "served"
    store = store or folder / ".apm-agent" / "apm.db"
    env = environment(
        **{
            "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),
            "APM_AGENT_STORE": f"sqlite:///{store}",
            "APM_AGENT_FLUSH_INTERVAL": "0.1",
            "SERVED": str(told),
            **variables,
        }
    )
    one = ("--worker-class", "sync", "--threads", "1", "--log-level", "critical")
    command = gunicorn("witness_app:app", port, *one, *options)
    with running(command, port=port, env=env, cwd=folder) as program:
        yield Site(program, store, told)


@contextmanager
def load(site: Site, clients: int = 2) -> Iterator[Counter[int]]:
    """Requests without pause, each of a path of its own, for the length of a block; how each status came back."""
    statuses: Counter[int] = Counter()
    numbers, over, mutex = count(), threading.Event(), threading.Lock()

    def ask() -> None:
        while not over.is_set():
            status = site.ask(f"/n/{next(numbers)}")
            with mutex:
                statuses[status] += 1

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join()


def until(enough: Callable[[], object], patience: float = 20.0) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + patience
    while not enough():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Kill(NamedTuple):
    """A killed worker: what it had answered, what of it is not in the store, and over how long that was answered."""

    pid: int
    answered: int
    lost: int
    over_ns: int


def kill_workers(site: Site, kills: int, pace: Callable[[], float]) -> list[int]:
    """SIGKILL one worker after the other, each once it has served; `pace` says how long to wait in between."""
    killed: list[int] = []
    while len(killed) < kills:
        time.sleep(pace())
        young = {each.pid for each in site.served()} - set(killed)
        chosen = [pid for pid in site.workers() if pid in young]
        if chosen:
            os.kill(chosen[0], signal.SIGKILL)
            killed.append(chosen[0])
            assert until(lambda gone=chosen[0]: gone not in site.workers())
    return killed


def of_first(served: list[Served], pid: int) -> list[Served]:
    """What the first process of that number answered: none is killed that has the number of one killed before."""
    answered = [each for each in served if each.pid == pid]
    return [each for each in answered if each.born == answered[0].born]


def losses(site: Site, killed: list[int]) -> list[Kill]:
    """What each killed worker took with it. A sync worker's requests come one after the other, so does the queue:
    what is lost must be the last it answered, or something in the middle went missing.
    """
    kept, served = site.kept(), site.served()
    found = []
    for pid in killed:
        answered = of_first(served, pid)
        lost = [each for each in answered if (pid, each.path) not in kept]
        assert lost == answered[len(answered) - len(lost) :], (
            f"of process {pid} more than its last is missing"
        )
        found.append(Kill(pid, len(answered), len(lost), answered[-1].at - lost[0].at if lost else 0))
    return found
