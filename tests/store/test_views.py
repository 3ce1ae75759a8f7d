"""The views: the figures of the dashboard, in a file that Datasette and sqlite-utils open."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apm_agent.model.histogram import Histogram, edge
from apm_agent.queries.connection import connect
from apm_agent.queries.endpoints import Page, endpoints
from apm_agent.queries.units import hex_id
from apm_agent.queries.window import of_range
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.store.views import SPANS, views
from days import day, raw, url
from records import process, record, rows

__all__ = ["day", "raw", "url"]

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "schema.md"
NAMES = [view.name for view in views()]


def asked(path: Path, sql: str) -> list[dict[str, Any]]:
    opened = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    opened.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in opened.execute(sql)]
    finally:
        opened.close()


def test_they_are_in_the_file_and_answer(day: Path) -> None:
    assert [
        row[0] for row in rows(day, "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY rowid")
    ] == NAMES
    for view in views():
        found = asked(day, f"SELECT * FROM {view.name} LIMIT 5")
        assert found, view.name
        assert list(found[0]) == [column.name for column in view.columns]


@pytest.mark.parametrize("name", NAMES)
def test_nobody_can_write_to_them(name: str, day: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="view"):
        rows(day, f"DELETE FROM {name}")


def test_every_column_has_its_unit_in_its_name_or_counts(day: Path) -> None:
    plain = {
        "status", "failed", "queries", "overlapped_by", "pid", "transactions", "errors", "kept_calls", "bucket", "runs",
        "line", "statement_id", "count", "recorded", "dropped", "writer_errors", "agent_us_per_transaction",
    }  # fmt: skip
    for name in NAMES:
        for row in asked(day, f"SELECT * FROM {name} LIMIT 50"):
            for column, value in row.items():
                if isinstance(value, (int, float)):
                    assert column in plain or column.endswith(("_ms", "_kb", "_unix_s", "_share")), (
                        name,
                        column,
                    )


@pytest.mark.parametrize("seconds", SPANS)
def test_percentiles_are_those_of_the_histogram(seconds: int, day: Path, raw: sqlite3.Connection) -> None:
    truth = {
        (t, endpoint, release): Histogram.from_bytes(data).quantiles((0.5, 0.95, 0.99))
        for t, endpoint, release, data in raw.execute(
            "SELECT t, e.name, version, histogram FROM rollups JOIN endpoints e ON e.id = endpoint_id"
            " JOIN releases l ON l.id = release_id WHERE resolution = ?",
            (seconds,),
        )
    }
    found = asked(day, f"SELECT * FROM v_endpoints_{SPANS[seconds]}")
    assert len(found) == len(truth)
    for row in found:
        known = truth[row["started_unix_s"], row["endpoint"], row["release"]]
        assert [row["p50_ms"], row["p95_ms"], row["p99_ms"]] == pytest.approx(
            [ns / 1e6 for ns in known if ns]
        )


@pytest.mark.parametrize(
    "durations",
    [
        [0],
        [1, 2, 3],
        [5_000_000] * 300,
        [7_000_000] * 70_000,
        [2**exponent for exponent in range(1, 50)],
        [3**exponent for exponent in range(1, 28)] * 300,
    ],
    ids=["nothing", "three", "two bytes", "four bytes", "dense", "wide and dense"],
)
def test_each_way_a_histogram_is_written_is_read(durations: list[int], tmp_path: Path) -> None:
    store = SQLiteStore(str(tmp_path / "apm.db"), process())
    store.write([record()])
    store.close()
    histogram = Histogram(durations)
    with sqlite3.connect(tmp_path / "apm.db") as raw:
        raw.execute("UPDATE rollups SET histogram = ?, count = ?", (histogram.to_bytes(), histogram.count))
    raw.close()
    (row,) = asked(tmp_path / "apm.db", "SELECT * FROM v_endpoints_day")
    known = histogram.quantiles((0.5, 0.95, 0.99))
    assert [row["p50_ms"], row["p95_ms"], row["p99_ms"]] == pytest.approx(
        [ns / 1e6 for ns in known], abs=1e-6
    )
    cells = asked(tmp_path / "apm.db", "SELECT * FROM v_latency_day")
    assert {cell["bucket"]: cell["transactions"] for cell in cells} == histogram.counts
    for cell in cells:
        assert cell["above_ms"] == pytest.approx(edge(cell["bucket"]) / 1e6)
        assert cell["up_to_ms"] == pytest.approx(edge(cell["bucket"] + 1) / 1e6)


def test_sums_are_those_of_the_dashboard(day: Path, url: str) -> None:
    window = of_range("24h")
    with connect(url) as connection:
        shown = {
            (row["name"], row["kind"]): row
            for row in endpoints(connection, window, Page(limit=1000))["endpoints"]
        }
    found = asked(
        day,
        "SELECT endpoint, kind, sum(transactions) AS n, sum(errors) AS bad, sum(total_ms) AS ms, sum(queries) AS q,"
        f" sum(db_ms) AS db FROM v_endpoints_minute WHERE started_unix_s >= {window.start}"
        " AND kind IN ('web', 'background') GROUP BY endpoint, kind",
    )
    assert {(row["endpoint"], row["kind"]) for row in found} == set(shown)
    for row in found:
        same = shown[row["endpoint"], row["kind"]]
        assert (row["n"], row["bad"]) == (same["count"], same["errors"])
        assert row["ms"] == pytest.approx(same["total_ms"], abs=0.01)
        assert row["db"] == pytest.approx(same["kinds"]["db"], abs=0.01)


def test_a_transaction_has_the_id_of_the_api(day: Path, raw: sqlite3.Connection) -> None:
    (number,) = raw.execute("SELECT max(id) FROM transactions").fetchone()
    (row,) = asked(day, f"SELECT * FROM v_transactions WHERE id = '{hex_id(number)}'")
    assert row["python_ms"] + sum(
        row[f"{kind}_ms"] for kind in ("db", "http", "template", "cache", "wait", "gc")
    ) == (pytest.approx(row["duration_ms"], rel=0.01))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["started_utc"])


def test_planted_faults_are_found_by_sql(day: Path) -> None:
    (worst,) = asked(
        day, "SELECT statement, sum(runs) AS runs FROM v_statements_day GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    )
    assert worst["statement"] == "SELECT * FROM customer WHERE id = ?"
    found = asked(day, "SELECT DISTINCT insight, endpoint, file FROM v_insights_day")
    assert {"insight": "repeated_query", "endpoint": "GET /orders", "file": "shop.py"} in found


def run(*command: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", *command], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_sqlite_utils_opens_them(day: Path) -> None:
    listed = json.loads(run("sqlite_utils", "views", str(day), "--columns"))
    assert {each["view"]: each["columns"] for each in listed} == {
        view.name: [column.name for column in view.columns] for view in views()
    }
    for name in ("v_endpoints_hour", "v_processes"):
        text = run("sqlite_utils", "rows", str(day), name, "--csv", "--limit", "3")
        assert len(list(csv.DictReader(io.StringIO(text)))) == 3


def test_datasette_opens_them(day: Path) -> None:
    listed = json.loads(run("datasette", str(day), "--get", f"/{day.stem}.json"))
    assert {each["name"] for each in listed["views"]} == set(NAMES)
    shown = run("datasette", str(day), "--get", f"/{day.stem}/v_endpoints_hour.json?_shape=array&_size=4")
    assert len(json.loads(shown)) == 4
    assert "p95_ms" in json.loads(shown)[0]


def test_the_page_tells_of_all_of_them_as_they_are() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "schema.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert f"`{name}`" in SCHEMA.read_text()


def test_the_examples_of_the_page_run(day: Path, tmp_path: Path) -> None:
    text = SCHEMA.read_text()
    (sql,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    sql = sql.replace("unixepoch()", "CAST(strftime('%s') AS INTEGER)")
    found = {row["endpoint"]: row for row in asked(day, sql)}
    assert found["GET /orders"]["p95_ms"] > found["GET /"]["p95_ms"]
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code.replace(".apm-agent/apm.db", str(day))],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert " ms\n" in done.stdout
