"""What a demo starts ends with it, also when it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

SCRIPT = """
import os, signal, sys
from pathlib import Path
from apm_agent.cli.troupe import Troupe
with Troupe(Path(sys.argv[1]), Path.cwd(), os.environ) as troupe:
    member = troupe.start("parent", [sys.executable, "-c", {parent!r}])
    while b"ready" not in member.log.read_bytes():
        pass
    print(member.process.pid, flush=True)
    if {killed}:
        os.kill(os.getpid(), signal.SIGKILL)
"""
#: A program with a child of its own, as servers with workers are.
PARENT = (
    "import subprocess, sys; p = subprocess.Popen(['sleep', '300']); print('ready', flush=True); p.wait()"
)


def _left_of(group: int, seconds: float) -> list[psutil.Process]:
    until = time.monotonic() + seconds
    while True:
        left = [process for process in psutil.process_iter(["pid"]) if _group_of(process) == group]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.05)


def _group_of(process: psutil.Process) -> int:

    try:
        return 0 if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (OSError, psutil.Error):
        return 0


def test_nothing_is_left_when_it_is_killed(tmp_path: Path) -> None:
    code = SCRIPT.format(parent=PARENT, killed=True)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, check=False)
    assert done.returncode == -9
    assert _left_of(int(done.stdout), 20) == []


def test_nothing_is_left_when_it_ends(tmp_path: Path) -> None:
    code = SCRIPT.format(parent=PARENT, killed=False)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert _left_of(int(done.stdout), 0) == []
