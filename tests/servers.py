"""Starts real programs for tests: on a free port, waited for, stopped, with all they printed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "example_apps"
PYTHON = sys.executable
_PATIENCE = 30.0


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def script(name: str) -> str:
    """The path of a command installed beside the running Python: gunicorn, uvicorn, apm-agent."""
    return str(Path(PYTHON).parent / name)


def environment(**variables: str) -> dict[str, str]:
    """The surrounding environment without any setting of ours, plus `variables`."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("APM_AGENT_", "_APM_AGENT_", "PYTHONWARNINGS"))
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


class Program:
    """A running program; `output` is all it printed so far, errors included."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path | str, port: int | None
    ) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}" if port else ""
        self._last_output = ""
        self._workers = _workers(command)
        # A file, because a pipe nobody reads would stop a talkative program.
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the program)
        self.process = subprocess.Popen(
            command, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=self._printed,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        if self._printed.closed:
            return self._last_output
        size = os.fstat(self._printed.fileno()).st_size
        return os.pread(self._printed.fileno(), size, 0).decode("utf-8", "replace")

    def wait_until_it_listens(self, patience: float = _PATIENCE) -> Program:
        """Returns when the port accepts; raises with the program's output when it ends or takes too long."""
        assert self.port is not None
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}:\n{self.output}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"nothing listens on port {self.port} after {patience} s:\n{self.output}")

    def wait_for_output(self, text: str, patience: float = _PATIENCE) -> str:
        """Returns the output when it contains `text`; raises with the output after `patience` seconds."""
        deadline = time.monotonic() + patience
        while text not in self.output:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} was not printed within {patience} s:\n{self.output}")
            time.sleep(0.05)
        return self.output

    def wait(self, patience: float = _PATIENCE) -> int:
        """The exit code, waited for."""
        return self.process.wait(patience)

    def stop(self, signum: int = signal.SIGTERM, patience: float = _PATIENCE) -> int:
        """Asks it to end and returns its exit code; what does not end is killed, with all it started."""
        if self.process.poll() is None:
            self._wait_until_its_workers_hear()
            self.process.send_signal(signum)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self._kill_group()
            raise AssertionError(f"it did not end on signal {signum}:\n{self.output}") from None
        finally:
            self._kill_group()

    def _wait_until_its_workers_hear(self, patience: float = 10.0) -> None:
        """Until each worker of gunicorn has handlers of its own in place of its master's, which end nobody.

        Those note a signal for the master's loop, which no worker runs; the master then waits for it as long as for a
        request at work, the 30 s of `--graceful-timeout`. So it is without the agent too.
        """
        deadline = time.monotonic() + patience
        while self._workers and time.monotonic() < deadline:
            hear = [not _handles(child, signal.SIGHUP) for child in _forked(self.pid)]
            if len(hear) >= self._workers and all(hear):
                return
            time.sleep(0.02)

    def _kill_group(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(_PATIENCE)
        self._last_output = self.output
        self._printed.close()


def _workers(command: Sequence[str]) -> int:
    """How many processes gunicorn will start; 0 of what is not gunicorn, and where it cannot be told what they hear."""
    if not any(Path(part).name == "gunicorn" for part in command) or not Path("/proc/self/status").exists():
        return 0
    return next((int(after) for option, after in pairwise(command) if option in {"--workers", "-w"}), 1)


def _forked(pid: int) -> list[int]:
    """Its children of the same command line; a dashboard that was started beside it has another."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it is gone
        return []
    return [int(child) for child in children if _command(child) == _command(pid)]


def _command(pid: int | str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _handles(pid: int, signum: int) -> bool:
    """Whether it has a handler for the signal; that of SIGHUP is the master's, which a worker takes away."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it is gone
        return False
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signum - 1) & 1)


@contextmanager
def running(
    command: Sequence[str],
    *,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str = ROOT,
) -> Iterator[Program]:
    """A program for the length of a block: `with running([...], port=port) as app:`; waits for its port."""
    program = Program(command, environment() if env is None else env, cwd, port)
    try:
        if port is not None:
            program.wait_until_it_listens()
        yield program
    finally:
        program.stop()


def gunicorn(app: str, port: int, *options: str) -> list[str]:
    """The command that serves a WSGI app with two workers of four threads."""
    return [
        script("gunicorn"), "--worker-class", "gthread", "--workers", "2", "--threads", "4",
        "--bind", f"127.0.0.1:{port}", *options, app,
    ]  # fmt: skip


def uvicorn(app: str, port: int, *options: str) -> list[str]:
    """The command that serves an ASGI app."""
    return [script("uvicorn"), "--host", "127.0.0.1", "--port", str(port), *options, app]
