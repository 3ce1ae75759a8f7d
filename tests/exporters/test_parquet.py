"""A window of transactions as a Parquet file: DuckDB reads the same out of it as is in the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from apm_agent.cli import cli
from make_store import make


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a day of 2,500 transactions that ends now: more than one batch."""
    path = tmp_path_factory.mktemp("day") / "apm.db"
    make(path, 2500)
    return path


@pytest.fixture(scope="module")
def file(day: Path) -> Path:
    """All of it."""
    return _export(day, day.parent / "all.parquet")


@pytest.fixture
def raw(day: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{day}?mode=ro", uri=True)) as opened:
        yield opened


def _export(day: Path, file: Path, *options: str) -> Path:
    done = CliRunner().invoke(
        cli,
        ["export", "--format", "parquet", "--range", "7d", "--store", str(day), "-o", str(file), *options],
    )
    assert done.exit_code == 0, done.output
    assert "transactions" in done.output
    return file


def _rows(sql: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = duckdb.sql(sql).fetchall()
    return found


def test_duckdb_reads_what_is_in_the_store(file: Path, raw: sqlite3.Connection) -> None:
    sums = "count(*), sum(duration_ns), sum(db_ns), sum(queries), count(cpu_ns), count(context)"
    found = _rows(f"SELECT {sums}, sum(failed::int), count(DISTINCT id) FROM '{file}'")[0]
    assert found == raw.execute(f"SELECT {sums}, sum(failed), count(*) FROM transactions").fetchone()
    names = "SELECT {}, count(*) FROM {} GROUP BY 1, 2 ORDER BY 1, 2"
    local = names.format("service, name", "transactions x JOIN endpoints e ON e.id = x.endpoint_id")
    assert _rows(names.format("service, endpoint", f"'{file}'")) == raw.execute(local).fetchall()
    first = _rows(f"SELECT epoch_ns(min(started_at)), min(id) FROM '{file}'")[0]
    assert (
        first == raw.execute("SELECT min(started_at), printf('%016x', min(id)) FROM transactions").fetchone()
    )


def test_spans_lie_in_their_transaction(file: Path, raw: sqlite3.Connection) -> None:
    (kept,) = raw.execute("SELECT count(*) FROM traces").fetchone()
    assert _rows(f"SELECT count(spans) FROM '{file}'")[0] == (kept,)
    statements = _rows(
        f"SELECT DISTINCT s.statement FROM '{file}', UNNEST(spans) AS each(s) WHERE s.statement IS NOT NULL"
    )
    assert {text for (text,) in statements} <= {
        text for (text,) in raw.execute("SELECT text FROM statements")
    }
    assert len(statements) > 1
    contexts = _rows(f"SELECT context FROM '{file}' WHERE context IS NOT NULL")
    assert all(isinstance(json.loads(context), dict) for (context,) in contexts)


def test_a_part_of_it_is_a_part(day: Path, tmp_path: Path, raw: sqlite3.Connection) -> None:
    one = _export(day, tmp_path / "one.parquet", "--endpoint", "GET /orders", "--release", "1.4.0")
    (counted,) = raw.execute(
        "SELECT count(*) FROM transactions x JOIN endpoints e ON e.id = x.endpoint_id JOIN releases r"
        " ON r.id = x.release_id WHERE e.name = 'GET /orders' AND r.version = '1.4.0'"
    ).fetchone()
    assert counted > 0
    assert _rows(f"SELECT count(*), any_value(release) FROM '{one}'")[0] == (counted, "1.4.0")
    none = _export(day, tmp_path / "none.parquet", "--release", "0.0.0")
    assert _rows(f"SELECT count(*) FROM '{none}'")[0] == (0,)


def test_what_it_cannot_do_it_says(day: Path, tmp_path: Path) -> None:
    asked = ["export", "--format", "parquet", "--store", str(day)]
    for options, words in (
        (["-o", "-"], "not written to the terminal"),
        (["-o", str(tmp_path / "no" / "such")], "cannot be written"),
        (["--transaction", "1"], "give --range"),
    ):
        done = CliRunner().invoke(cli, [*asked, *options])
        assert done.exit_code != 0
        assert words in done.output
