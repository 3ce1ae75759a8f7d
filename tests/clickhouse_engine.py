"""Starts the current ClickHouse engine for tests, ships to it, and lets go of what was drawn from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apm_agent.clickhouse.address import parse
from apm_agent.queries import mirror
from apm_agent.store.clickhouse.shipper import Shipper
from servers import PYTHON, Program, environment

_FRONT = Path(__file__).parent / "clickhouse" / "front.py"


@contextmanager
def engine(folder: Path, port: int) -> Iterator[Program]:
    """The current engine on a port, with what an earlier one left in the folder."""
    program = Program([PYTHON, str(_FRONT), str(folder), str(port)], environment(), folder.parent, port)
    try:
        program.wait_until_it_listens(120)
        yield program
    finally:
        program.stop()


@contextmanager
def shipper(path: Path, url: str, host: str = "made-up") -> Iterator[Shipper]:
    """A shipper, let go of at the end."""
    made = Shipper(str(path), parse(url), host)
    try:
        yield made
    finally:
        made.close()


def close(url: str) -> None:
    """Let go of what this process has drawn of a database."""
    found = mirror._mirrors.pop((parse(url), os.getpid()), None)
    if found is not None:
        found.close()
