"""The made-up day as fixtures: one store for all tests that only read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from apm_agent.queries.connection import Connection, connect
from make_store import make


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a day of 4,000 transactions that ends now."""
    path = tmp_path_factory.mktemp("day") / "apm.db"
    make(path, 4000)
    return path


@pytest.fixture(scope="session")
def url(day: Path) -> str:
    return f"sqlite:///{day}"


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with connect(url) as opened:
        yield opened


@pytest.fixture
def raw(day: Path) -> Iterator[sqlite3.Connection]:
    """The same file without us: what the answers are compared with."""
    opened = sqlite3.connect(f"file:{day}?mode=ro", uri=True)
    yield opened
    opened.close()
