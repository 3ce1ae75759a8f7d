"""`apm-agent top`: its tables, its keys, and the terminal put back however it ends."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apm_agent.cli.top import SORTS, _lines
from apm_agent.queries.top import EndpointRow, FunctionRow, Table
from hanging import served, visit
from make_store import make
from servers import PYTHON, environment

pytestmark = pytest.mark.server

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
#: Becomes the command, with the terminal as its own: only then Ctrl-C and Ctrl-Z are signals.
OWN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A program on a terminal of its own; `text` is all that it has drawn."""

    def __init__(self, *command: str) -> None:
        self.master, slave = os.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.text = ""
        self.process = subprocess.Popen(
            [PYTHON, "-c", OWN, *command], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**environment(), "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        )  # fmt: skip

    def read(self, seconds: float = 0.1) -> None:
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.text += os.read(self.master, 65536).decode("utf-8", "replace")

    def wait_for(self, pattern: str, patience: float = 30.0) -> str:
        """What was drawn since the last `press`, once it has the pattern."""
        deadline = time.monotonic() + patience
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"{pattern!r} was not drawn:\n{self.text[-3000:]!r}"
            assert self.process.poll() is None, f"it ended:\n{self.text[-3000:]}"
            self.read()
        return self.text

    def press(self, keys: str) -> None:
        self.text = ""
        os.write(self.master, keys.encode())

    def end(self, patience: float = 30.0) -> int:
        deadline = time.monotonic() + patience
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end:\n{self.text[-3000:]!r}"
            self.read(0.05)
        self.read()
        return self.process.returncode

    def attributes(self) -> list[Any]:
        return termios.tcgetattr(self.slave)


@contextmanager
def terminal(*command: str) -> Iterator[Terminal]:
    made = Terminal(*command)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.wait()
        os.close(made.master)
        os.close(made.slave)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("top") / "apm.db"
    make(path, 200)
    return path


def top(store: Path, *options: str) -> tuple[str, ...]:
    return (PYTHON, "-m", "apm_agent", "top", "--store", str(store), *options)


def test_the_keys(store: Path) -> None:
    with terminal(*top(store)) as shown:
        shown.wait_for("function, by own time")
        assert ENTER in shown.text
        shown.press("s")
        shown.wait_for("function, by total time")
        shown.press("e")
        shown.wait_for("endpoint, by time taken")
        for sort in ("calls", "p95", "in flight", "time taken"):
            shown.press("s")
            shown.wait_for(f"endpoint, by {sort}")
        shown.press("f")
        shown.wait_for("function, by total time")
        assert shown.attributes() != shown.before
        shown.press("q")
        assert shown.end() == 0
        assert LEAVE in shown.text
        assert shown.attributes() == shown.before


@pytest.mark.parametrize(
    ("how", "code"), [("Ctrl-C", 0), ("SIGTERM", 128 + signal.SIGTERM), ("SIGHUP", 128 + signal.SIGHUP)]
)
def test_the_terminal_is_put_back(how: str, code: int, store: Path) -> None:
    with terminal(*top(store)) as shown:
        shown.wait_for("function, by own time")
        if how == "Ctrl-C":
            shown.press("\x03")
        else:
            shown.text = ""
            os.kill(shown.process.pid, getattr(signal, how))
        assert shown.end() == code
        assert LEAVE in shown.text
        assert "\x1b[?25h" in shown.text
        assert "Traceback" not in shown.text
        assert shown.attributes() == shown.before


def test_the_terminal_is_put_back_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    make(path, 50)
    with terminal(*top(path)) as shown:
        shown.wait_for("function, by own time")
        (path.parent / "live").rename(tmp_path / "elsewhere")
        (path.parent / "live").write_text("in the way")
        assert shown.end() == 2
        assert "is no folder of its own" in shown.text
        assert shown.text.index(LEAVE) < shown.text.index("is no folder of its own")
        assert shown.attributes() == shown.before


@pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-Z there")
def test_it_can_be_stopped_and_goes_on(store: Path) -> None:
    with terminal(*top(store)) as shown:
        shown.wait_for("function, by own time")
        shown.text = ""
        os.kill(shown.process.pid, signal.SIGTSTP)
        shown.wait_for(re.escape(LEAVE))
        shown.text = ""
        os.kill(shown.process.pid, signal.SIGCONT)
        shown.wait_for("function, by own time")
        shown.press("q")
        assert shown.end() == 0
        assert shown.attributes() == shown.before


def printed(store: Path, *options: str) -> str:
    done = subprocess.run(
        top(store, *options), env=environment(), capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_where_there_is_no_terminal_it_prints_once(store: Path) -> None:
    text = printed(store, "--seconds", "1")
    assert "\x1b" not in text
    assert "endpoint, by time taken" in text
    assert "function, by own time" in text


def test_what_runs(tmp_path: Path) -> None:
    with served(tmp_path, "gunicorn") as program:
        visit(f"{program.url}/stuck")
        visit(f"{program.url}/burn").join()
        # The first tables may end before a worker has written what it answered, or told what it does.
        wanted = (
            r"(?m)^\s+(?!0\.[0-5] )[\d.]+ .*GET /burn$", r"(?m)^\s+0\.0 .*GET /stuck$",
            r"%  burn \(hanging.py\)", r"%  stuck \(hanging.py\)",
        )  # fmt: skip
        text, deadline = "", time.monotonic() + 60
        while not all(re.search(each, text) for each in wanted) and time.monotonic() < deadline:
            command = top(tmp_path / "apm.db", "--seconds", "3", "--once")
            process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
            while process.poll() is None:
                visit(f"{program.url}/burn").join()
            text = process.communicate()[0]
    rows = [line for line in text.splitlines() if line.endswith(("GET /burn", "GET /stuck"))]
    figures = {row.split("  ")[-1].strip(): row.split() for row in rows}
    assert float(figures["GET /burn"][0]) > 0.5, text
    assert figures["GET /stuck"][0] == "0.0"
    assert int(next(row for row in rows if "/stuck" in row).split()[4]) == 1, text
    assert re.search(r"%\s+[\d.]+%  stuck \(hanging.py\)", text), text
    assert re.search(r"%\s+[\d.]+%  burn \(hanging.py\)", text), text


TABLE = Table(
    5.0, 2, 1, 1.5,
    [FunctionRow("a", "a.py", "app", 5, 5, 0.5, 0.5), FunctionRow("b\x1b[2J", "b.py", "app", 4, 10, 0.4, 1.0)],
    [
        EndpointRow("GET /a", "web", "shop", 10, 2.0, 0, 5.0, 9.0, 0, None),
        EndpointRow("GET /b", "web", "shop", 1, 0.2, 1, 20.0, 20.0, 3, 900.0),
        EndpointRow("GET /c", "web", "shop", 0, 0.0, 0, None, None, 4, 800.0),
    ],
)  # fmt: skip


def first_of(view: str, sort: str) -> str:
    at = next(number for number, (name, _) in enumerate(SORTS[view]) if name == sort)
    return list(_lines(TABLE, view, at, 200, 10))[1]


def test_the_orders() -> None:
    assert first_of("functions", "own time").endswith("a (a.py)")
    assert "b (b.py)" not in first_of("functions", "total time")
    assert "\x1b" not in first_of("functions", "total time")
    assert first_of("endpoints", "time taken").endswith("GET /a")
    assert first_of("endpoints", "calls").endswith("GET /a")
    assert first_of("endpoints", "p95").endswith("GET /b")
    assert first_of("endpoints", "in flight").endswith("GET /c")
