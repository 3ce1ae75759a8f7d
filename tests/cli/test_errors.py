"""The command line when it is misused: one line that names the value and the cure, and exit code 2."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

import apm_agent
from apm_agent.cli import COMMANDS
from servers import PYTHON, environment


def apm(*arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "apm_agent", *arguments],
        cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("apm-agent: ")
    for word in words:
        assert word in done.stderr, done.stderr


def test_version() -> None:
    done = apm("--version")
    assert done.returncode == 0
    assert done.stdout == f"apm-agent, version {apm_agent.__version__}\n"


def test_help_names_every_command_and_each_has_its_own() -> None:
    done = apm("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    assert done.stdout == apm().stdout
    for name in COMMANDS:
        assert apm(name, "--help").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], ["'nope'", "--help"]),
        (["run"], ["COMMAND", "run --help"]),
        (["run", "--prot", "1", "python"], ["--prot"]),
        (["run", "--port", "x", "python"], ["'x'"]),
        (["run", "--port", "99999", "python"], ["99999"]),
        (["run", "no-such-command"], ["'no-such-command'", "PATH"]),
        (["run", "shop.py"], ["'shop.py'", "python shop.py"]),
        (["run", "--slow", "soon", "python"], ["'soon'", "10ms"]),
        (["why", "GET /"], ["no store", "--store"]),
        (["why", "GET /", "--store", "mysql://x"], ["mysql://x", "sqlite:///"]),
        (["dashboard", "--store", "mysql://x", "--no-browser"], ["mysql://x", "sqlite:///"]),
        (["dashboard", "--host", "0.0.0.0", "--no-browser"], ["0.0.0.0", "--token"]),
        (["demo", "--seconds", "-1"], ["-1"]),
    ],
)
def test_misuse_is_one_line(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    refused(apm(*arguments, cwd=tmp_path), *words)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("APM_AGENT_SAMPLE_INTERVALL", "1", ["APM_AGENT_SAMPLE_INTERVALL", "sample_interval"]),
        ("APM_AGENT_MAX_SIZE", "big", ["APM_AGENT_MAX_SIZE", "'big'", "512MB"]),
    ],
)
def test_r41_a_wrong_setting_stops_run_before_the_command(
    name: str, value: str, words: list[str], tmp_path: Path
) -> None:
    done = apm("run", "python", "-c", "open('started', 'w')", cwd=tmp_path, **{name: value})
    refused(done, *words)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(apm("run", "--port", port, "python", "-c", "", cwd=tmp_path), port, "--port")
        refused(apm("dashboard", "--port", port, "--no-browser", cwd=tmp_path), port, "--port")
