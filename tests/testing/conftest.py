"""Runs pytest itself in small projects, as people do who have installed us."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from servers import PYTHON, environment

#: An environment that was made before the entry point was written names no plugin of ours.
_KNOWN = any(each.value == "apm_agent.testing.plugin" for each in entry_points(group="pytest11"))

FILES = {
    "pytest.ini": """
        [pytest]
        filterwarnings =
            error
            ignore:Using .httpx. with .starlette.testclient.
        addopts = --strict-markers -p no:cacheprovider
        asyncio_mode = auto
        asyncio_default_fixture_loop_scope = function
    """,
    "shop.py": """
        import sqlite3

        def connect():
            connection = sqlite3.connect(":memory:", check_same_thread=False)
            connection.executescript("CREATE TABLE orders (id, customer); CREATE TABLE customers (id, name)")
            connection.executemany("INSERT INTO orders VALUES (?, ?)", [(n, n % 3) for n in range(12)])
            connection.executemany("INSERT INTO customers VALUES (?, 'x')", [(n,) for n in range(3)])
            return connection

        def slowly(connection):
            orders = connection.execute("SELECT id, customer FROM orders").fetchall()
            return [
                connection.execute("SELECT name FROM customers WHERE id = ?", (customer,)).fetchone()[0]
                for _, customer in orders
            ]

        def quickly(connection):
            return connection.execute("SELECT name FROM orders JOIN customers ON customer = customers.id").fetchall()
    """,
}


class Outcome(NamedTuple):
    """How a run of pytest ended: what it printed, and its tests by how they ended."""

    text: str
    counts: dict[str, int]
    code: int


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Outcome]:
    """Write a project's files and run pytest in it, in a process of its own."""

    def run(files: dict[str, str], *arguments: str, watched: bool = False, **variables: str) -> Outcome:
        for name, text in {**FILES, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(dedent(text))
        plugins = () if _KNOWN else ("-p", "apm_agent.testing.plugin")
        pytest_ = ["pytest", *plugins, "-p", "no:randomly", *arguments]
        command = (
            [PYTHON, "-m", "apm_agent", "run", "--no-dashboard", *pytest_]
            if watched
            else [PYTHON, "-m", *pytest_]
        )
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(**variables), capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        text = done.stdout + done.stderr
        counts = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|errors?)", text)}
        return Outcome(text, counts, done.returncode)

    return run
