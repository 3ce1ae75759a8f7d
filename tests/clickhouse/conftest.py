"""The made-up day in a local store, and the same shipped to the current engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clickhouse_engine import close, engine, shipper
from days import day
from servers import free_port

__all__ = ["day", "forget", "server", "shipped"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine that all tests of this process share, without a database."""
    port = free_port()
    with engine(tmp_path_factory.mktemp("engine") / "data", port):
        yield f"clickhouse://127.0.0.1:{port}/"


@pytest.fixture(scope="session")
def shipped(day: Path, server: str) -> Iterator[str]:
    """The address of a database with that day."""
    url = f"{server}day"
    with shipper(day, url) as one:
        one.step(all_of_it=True)
    yield url
    close(url)


@pytest.fixture
def forget() -> Iterator[Callable[[str], str]]:
    """Marks a database whose drawing goes away with the test."""
    urls: list[str] = []

    def marked(url: str) -> str:
        urls.append(url)
        return url

    yield marked
    for url in urls:
        close(url)
