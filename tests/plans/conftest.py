"""Real database servers, and a dashboard that may ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import databases
from planned import Asked


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Asked]:
    """``asked("shop=postgresql://…")``: a dashboard that may ask these databases."""
    return lambda *explain: Asked(tmp_path / "apm.db", explain)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[int]:
    """The port of a PostgreSQL of the tests' own."""
    with databases.postgresql() as port:
        yield port


@pytest.fixture(scope="session")
def mariadb() -> Iterator[int]:
    """The port of a MariaDB of the tests' own."""
    with databases.mariadb() as port:
        yield port
