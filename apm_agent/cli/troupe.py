"""Programs started together and ended together, whatever happens in between."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from apm_agent.cli.warden import Warden
from apm_agent.errors import ApmError

_PATIENCE = 30.0
_FAREWELL = 8.0


class Member:
    """One running program: its name for people, its process and the file it prints to."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def last_words(self) -> str:
        """The end of what it printed, on one line."""
        lines = self.log.read_text("utf-8", "replace").split("\n")
        return " | ".join(line.strip() for line in lines if line.strip())[-400:]


class Troupe:
    """Starts programs in groups of their own, so that Ctrl-C is ours; ends them when the block ends."""

    def __init__(self, logs: Path, cwd: Path, environment: Mapping[str, str]) -> None:
        self.logs = logs
        self.cwd = cwd
        self.environment = dict(environment)
        self.members: list[Member] = []
        self._warden: Warden | None = None

    def __enter__(self) -> Troupe:
        self._warden = Warden() if hasattr(os, "killpg") else None
        return self

    def start(self, name: str, command: Sequence[str], **variables: str) -> Member:
        """Start a program; `variables` are added to its environment."""
        log = self.logs / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as printed:
            process = subprocess.Popen(
                command,
                cwd=self.cwd,
                env={**self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        member = Member(name, process, log)
        self.members.append(member)
        if self._warden is not None:
            self._warden.watch(process.pid)
        return member

    def wait_for_port(self, member: Member, port: int) -> None:
        """Return when it answers; raise with its last words when it ends before or takes too long."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            self.check(member)
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise ApmError(f"{member.name} does not answer on port {port}. It said: {member.last_words()}")

    def check(self, *members: Member) -> None:
        """Raise with its last words when one of them (all, if none is named) ended in failure."""
        for member in members or self.members:
            if member.process.poll():
                code = member.process.returncode
                raise ApmError(f"{member.name} ended with {code}. It said: {member.last_words()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for member in reversed(self.members):
            _tell(member.process, signal.SIGTERM)
        deadline = time.monotonic() + _FAREWELL
        for member in self.members:
            try:
                member.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            _tell_group(member.process, signal.SIGKILL)  # and whatever it left behind
            member.process.wait(_FAREWELL)
        if self._warden is not None:
            self._warden.dismiss()


def _tell(process: subprocess.Popen[bytes], signum: int) -> None:
    if process.poll() is None:
        process.send_signal(signum)


def _tell_group(process: subprocess.Popen[bytes], signum: int) -> None:
    try:
        os.killpg(process.pid, signum)
    except (ProcessLookupError, PermissionError):
        pass
