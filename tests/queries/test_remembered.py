"""What is remembered of the past, with what came since, answers as all of it does that is read at once."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from apm_agent.queries import cells, finding, rollups, settled
from apm_agent.queries.connection import connect
from apm_agent.queries.endpoints import endpoints
from apm_agent.queries.overview import overview
from apm_agent.queries.scope import scope_of
from apm_agent.queries.slowest import slowest_of_each
from apm_agent.queries.window import of_range
from make_store import make

RANGES = ("1h", "24h", "7d")


@pytest.fixture
def now() -> float:
    """When the test began, not its file: what is older than a quarter of an hour is not asked for again."""
    return time.time()


@pytest.fixture
def asked(tmp_path: Path, now: float, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of which all has been asked, and that has grown since."""
    monkeypatch.setattr(finding, "_HOLDS", -1.0)  # what holds for a moment only is another matter
    path = tmp_path / "asked" / "apm.db"
    make(path, 3000, 30.0, now - 240)
    for name in RANGES:
        _answers(path, name, now)
    make(path, 300, 0.06, now, seed=8)
    return path


def _answers(path: Path, name: str, now: float) -> dict[str, Any]:
    window = of_range(name, now)
    with connect(f"sqlite:///{path}") as connection:
        return {"overview": overview(connection, window), "endpoints": endpoints(connection, window)}


def _untouched(path: Path, patch: pytest.MonkeyPatch) -> Path:
    """The same store, as another file; and nothing counts as past any more, so all of it is read at once."""
    for module in (rollups, cells, settled):
        patch.setattr(module, "SETTLED", 10**10)
    copy = path.parent.parent / "untouched" / "apm.db"
    copy.parent.mkdir()
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


@pytest.mark.parametrize("name", RANGES)
def test_the_first_pages_are_those_of_one_reading(
    asked: Path, name: str, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _answers(asked, name, now)
    assert found["overview"]["fix_first"]
    assert found == _answers(_untouched(asked, monkeypatch), name, now)


def test_who_stands_behind_a_deleted_one_moves_up(
    asked: Path, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = of_range("7d", now)
    with connect(f"sqlite:///{asked}") as connection:
        scope = scope_of(connection)
        before = slowest_of_each(connection, window, scope.timed, None, 2, 8)
        with closing(sqlite3.connect(asked)) as db:
            db.executemany("DELETE FROM transactions WHERE id = ?", [(row[0],) for row in before[1:3]])
            db.commit()
        after = slowest_of_each(connection, window, scope.timed, None, 2, 8)
    assert len(after) == len(before) == 8
    with connect(f"sqlite:///{_untouched(asked, monkeypatch)}") as connection:
        assert after == slowest_of_each(connection, window, scope.timed, None, 2, 8)
