"""Starts the processes: one that works, and py-spy attached to it where it is the one to be measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
PY_SPY = str(Path(sys.executable).parent / "py-spy")
_PATIENCE = 60


class Child:
    """A process of `child.py`."""

    def __init__(self, *arguments: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APM_AGENT_")}
        # Ours to import from the clone also when it is not installed; nothing of the surroundings else.
        kept |= {"PYTHONPATH": str(_HERE.parent.parent), "PYTHONHASHSEED": "0"}
        self.process = subprocess.Popen(
            [sys.executable, str(_HERE / "child.py"), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=kept,
        )  # fmt: skip
        self.hear()

    def go(self, how: str = "") -> None:
        """Give it the word."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{how}\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next thing it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process ended with {self.process.wait(_PATIENCE)}")
        said: dict[str, Any] = json.loads(line)
        return said

    def end(self) -> None:
        """Wait until it is gone."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(_PATIENCE)
        self.process.stdout.close()


class Spy:
    """py-spy, attached; sleeping threads are looked at too, because time is what is asked for."""

    def __init__(self, pid: int, rate: float, blocking: bool) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "raw"
        self.process = subprocess.Popen(
            [
                PY_SPY, "record", "--pid", str(pid), "--rate", f"{rate:.0f}", "--format", "raw", "--function",
                "--idle", "--duration", "unlimited", "--output", str(self._file),
                *(() if blocking else ("--nonblocking",)),
            ],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self._printed = ""
        for line in self.process.stdout:
            self._printed += line
            if "Sampling process" in line:
                break
        else:
            raise RuntimeError(f"py-spy: {self._printed}")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def cpu(self) -> float:
        """Processor seconds it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> str:
        """Its stacks."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(_PATIENCE)
        text = self._file.read_text() if self._file.exists() else ""
        self._folder.cleanup()
        return text


@contextmanager
def child(*arguments: str) -> Iterator[Child]:
    """A process for the length of a block."""
    started = Child(*arguments)
    try:
        yield started
        started.end()
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()
