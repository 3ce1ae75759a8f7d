"""The store of ten times as many, which pages are measured on, says of each of its parts what its rows say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from records import rows
from servers import ROOT

DAY_END = 1_790_000_000 * 10**9


def script(name: str) -> ModuleType:
    """A file of benchmarks/, which is no package."""
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ten_of_each_agree(tmp_path: Path) -> None:
    big, ten = script("store_big"), script("store_ten")
    source, target = tmp_path / "one.db", tmp_path / "ten.db"
    big.make(source, big.Plan(transactions=800, days=0.05, endpoints=4), DAY_END)
    ten.make(source, target)
    assert ten.wrong(source, target, whole=True) == []
    # The first copy is the transaction itself.
    [(same,)] = rows(target, "SELECT count(*) FROM transactions WHERE id IN (SELECT value FROM json_each(?))", str(
        [row[0] for row in rows(source, "SELECT id FROM transactions")]
    ))  # fmt: skip
    assert same == 800
    [(lying_elsewhere,)] = rows(
        target,
        "SELECT count(*) FROM insight_rollups i JOIN transactions x ON x.id = i.transaction_id"
        " WHERE i.resolution = 60 AND x.started_at / 60000000000 * 60 <> i.t",
    )
    assert lying_elsewhere == 0
    assert rows(target, "PRAGMA journal_mode") == [("wal",)]
    sums = "SELECT sum(count), sum(weight_ns) FROM profiles GROUP BY resolution"
    assert rows(target, sums) == [tuple(10 * each for each in row) for row in rows(source, sums)]
