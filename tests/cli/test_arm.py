"""`apm-agent arm` from outside: arm, list, cancel, and every misuse in one line."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from make_store import make
from servers import PYTHON, environment


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "apm.db"
    make(path, 200)
    return path


def arm(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "apm_agent", "arm", *arguments, "--store", str(store)],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_arm_list_cancel(store: Path) -> None:
    done = arm(store, "GET /orders", "-n", "3", "--seconds", "60")
    assert done.returncode == 0, done.stderr
    match = re.match(r"([0-9a-f]{16})  GET /orders  cProfile  0 of 3 · (60|59) s left\n\Z", done.stdout)
    assert match, done.stdout
    assert done.stdout[:40] in arm(store, "--list").stdout
    [row] = json.loads(arm(store, "--list", "--json").stdout)["arms"]
    assert row["id"] == match[1]
    assert arm(store, "--cancel", match[1]).stdout == "nothing is armed\n"
    assert arm(store, "GET /orders", "--memory").returncode == 0
    assert arm(store, "GET /orders", "--cprofile").returncode == 0
    assert arm(store, "--cancel", "all").stdout == "nothing is armed\n"
    assert list((store.parent / "arms").iterdir()) == []


def test_line_timings_are_of_the_hottest_own_functions(store: Path) -> None:
    row = json.loads(arm(store, "GET /orders", "--lines", "--json").stdout)
    assert row["capture"] == "lines"
    assert 1 <= len(row["functions"]) <= 10
    assert all(each["file"] and each["function"] and each["line"] for each in row["functions"])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--list"),
        (["GET /orders", "--list"], "--list"),
        (["GET /orders", "-n", "0"], "count=0"),
        (["GET /orders", "-n", "x"], "'x'"),
        (["GET /orders", "--seconds", "0"], "seconds="),
        (["GET /nowhere", "--lines"], "profile_lines"),
        (["--cancel", "../x"], "is not the id of an arm"),
        (["--cancel", "0" * 16], "--list"),
    ],
)
def test_misused_it_says_so_in_one_line(arguments: list[str], word: str, store: Path) -> None:
    done = arm(store, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert word in done.stderr
