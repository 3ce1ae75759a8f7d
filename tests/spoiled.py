"""A small day's store to be damaged, a copy at a time, and every question the dashboard answers about it."""

from __future__ import annotations

import functools
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from apm_agent.web.routes import ROUTES
from make_store import make

_HOME = tempfile.TemporaryDirectory(prefix="apm-fuzz-")


@functools.cache
def day() -> Path:
    """A small day, its log folded in."""
    path = Path(_HOME.name) / "day.db"
    make(path, 300, hours=1)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.execute("PRAGMA journal_mode = DELETE")
    return path


@contextmanager
def copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="apm-fuzz-") as folder:
        yield Path(shutil.copy(day(), Path(folder) / "apm.db"))


def questions() -> list[str]:
    """Every question, those about something in the store by what is in it."""
    with closing(sqlite3.connect(day())) as raw:
        [(one,)] = raw.execute("SELECT printf('%x', id) FROM transactions WHERE kept IS NOT NULL LIMIT 1")
        [(statement,)] = raw.execute("SELECT id FROM statements LIMIT 1")
        [(file, function)] = raw.execute("SELECT file, function FROM frames LIMIT 1")
    name = quote("GET /orders")
    place = f"id={one}&file={quote(file)}"
    known = {
        "trace": [f"id={one}"],
        "endpoint": [f"name={name}"],
        "profile": [f"id={one}", "", f"name={name}&format=speedscope", f"id={one}&format=chrome"],
        "job": ["name=shop.tasks.send_receipt"],
        "query": [f"id={statement}"],
        "error": ["type=ValueError"],
        "blame": [f"{place}&line=3"],
        "bytecode": [f"{place}&function={quote(function)}"],
        "compare": ["a=before:6h&b=range:6h", f"a=tx:{one}&b=range:6h"],
        "saved": ["page=trace&id=" + one, "page=endpoint&name=" + name],
    }
    return [f"{route}?range=24h&{given}" for route in ROUTES for given in known.get(route, [""])]
