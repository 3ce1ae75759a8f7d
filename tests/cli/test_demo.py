"""`apm-agent demo`: everything starts, the faults are found, and nothing is left when it ends."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from api import ask_until
from servers import PYTHON, Program, environment, free_port, running


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Program]:
    port = free_port()
    command = [PYTHON, "-m", "apm_agent", "demo", "--no-browser", "--port", str(port)]
    env = environment(APM_AGENT_STORE="sqlite:///theirs.db", TMPDIR=str(tmp_path))
    with running(command, port=port, env=env, cwd=tmp_path) as program:
        yield program


def leftovers(folder: Path) -> list[str]:
    """Processes that were started with `folder` for their temporary files."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(folder):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.server
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_with_0_and_leaves_nothing_behind(demo: Program, signum: int, tmp_path: Path) -> None:
    demo.wait_for_output("dashboard http://")
    found = ask_until(demo.url, "endpoints", lambda answer: len(answer["services"]) == 4)
    assert found["services"] == ["feed", "jobs", "notes", "shop"]
    assert demo.stop(signum) == 0, demo.output
    assert leftovers(tmp_path) == []
    assert list(tmp_path.iterdir()) == [], "what it wrote is taken away, and the store of others not touched"


@pytest.mark.server
def test_it_ends_by_itself_and_says_what_it_found(tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, "-m", "apm_agent", "demo", "--seconds", "10", "--no-browser", "--store", "kept.db"],
        cwd=tmp_path, env=environment(TMPDIR=str(tmp_path)), capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"GET /orders .* 150 identical queries from shop\.py:\d+", done.stderr), done.stderr
    assert leftovers(tmp_path) == []
    assert (tmp_path / "kept.db").is_file()
