"""What an answer takes does not grow with what it does not show: counted in instructions of SQLite, not in time."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from apm_agent.queries import cells, statement, summed
from apm_agent.queries.connection import connect
from apm_agent.queries.latency import merged
from apm_agent.queries.scope import Scope, scope_of
from apm_agent.queries.statement import statement as one_statement
from apm_agent.queries.statements import sums
from apm_agent.queries.units import ms
from apm_agent.queries.window import Window, of_range
from many import fill, steps

NOW = int(time.time())
TEXT = "SELECT * FROM part WHERE id = ?"
FEW, MANY = 40, 400
_STATEMENTS = (
    "INSERT INTO statement_rollups (resolution, t, endpoint_id, release_id, statement_id, frame_id, count, duration_ns,"
    " duration_max_ns, transactions) SELECT resolution, t, endpoint_id, release_id, 100 + endpoint_id % 7, 0,"
    " 2 * count, duration_ns, duration_max_ns, count FROM rollups"
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """By how many endpoints: the busiest of each has the same calls."""
    made = {}
    for endpoints in (FEW, MANY):
        made[endpoints] = path = tmp_path_factory.mktemp("work") / "apm.db"
        fill(path, NOW, 2 * 86400, 6000, endpoints)
        with closing(sqlite3.connect(path)) as db:
            db.execute(_STATEMENTS)
            db.executemany(
                "INSERT INTO statements VALUES (?, ?, 0)", [(100 + n, f"{TEXT} AND {n}") for n in range(7)]
            )
            db.execute("INSERT INTO statements VALUES (200, ?, 0)", (TEXT,))
            db.execute(
                "UPDATE statement_rollups SET statement_id = 200 WHERE endpoint_id = 1 AND statement_id != 200"
            )
            db.commit()
    return made


def _sparks(path: Path, shown: int) -> int:
    cells.forget()
    with connect(f"sqlite:///{path}") as connection:
        every = scope_of(connection)
        scope = Scope({number: every.endpoints[number] for number in range(1, shown + 1)})
        return steps(connection, lambda: cells.sparks(connection, of_range("24h", NOW), scope, 36))


def test_sparklines_of_ten_are_not_made_of_all_endpoints(stores: dict[int, Path]) -> None:
    of_few, of_many = _sparks(stores[FEW], 10), _sparks(stores[MANY], 10)
    assert of_many < 1.5 * of_few


@pytest.mark.parametrize("shown", [3, 200])
def test_sparklines_are_the_p95_of_the_calls_in_their_cells(stores: dict[int, Path], shown: int) -> None:
    window = of_range("24h", NOW)
    with connect(f"sqlite:///{stores[MANY]}") as connection:
        every = scope_of(connection)
        scope = Scope({number: every.endpoints[number] for number in range(1, shown + 1)})
        cells.forget()
        first = cells.sparks(connection, window, scope, 36)
        assert cells.sparks(connection, window, scope, 36) == first
        grid = cells.grid_of(window, 36)
        for endpoint in (1, 2, 3):
            wanted = {
                start: ms(
                    merged(
                        row[0]
                        for row in connection.rows(
                            "SELECT histogram FROM rollups WHERE resolution = 60 AND endpoint_id = ?"
                            " AND t >= ? AND t < ?",
                            (endpoint, start, start + grid.step),
                        )
                    ).quantile(0.95)
                )
                for start in grid.starts
            }
            assert set(first[endpoint]) <= set(wanted.values())
            assert [point for point in first[endpoint] if point is not None]


def _series(path: Path) -> tuple[int, list[int]]:
    window = of_range("24h", NOW)
    with connect(f"sqlite:///{path}") as connection:
        scope = scope_of(connection)
        found = next(row for row in sums(connection, window, scope) if row.statement == 200)
        runs: list[int] = []
        taken = steps(
            connection,
            lambda: runs.extend(statement._series(connection, window, scope, 200, found)["runs"]),
        )
        return taken, runs


def test_a_statement_of_few_endpoints_is_not_looked_for_among_all(stores: dict[int, Path]) -> None:
    of_few, runs = _series(stores[FEW])
    of_many, more = _series(stores[MANY])
    assert sum(runs) > 1000
    assert sum(more) > 1000
    assert of_many < 1.5 * of_few


@pytest.mark.parametrize(
    "window",
    [
        of_range("7d", NOW),
        of_range("1h", NOW),
        Window(NOW // 60 * 60 - 100_000, NOW - 4000.5, None, False),
        Window(NOW // 60 * 60 - 90_000, NOW // 60 * 60 - 1800, None, False),
    ],
    ids=["week", "hour", "minutes", "an odd day"],
)
def test_a_statement_over_time_is_the_sum_of_its_rows(stores: dict[int, Path], window: Window) -> None:
    with connect(f"sqlite:///{stores[MANY]}") as connection:
        for number in (200, 103):
            found = one_statement(connection, window, number)
            assert found is not None
            series = found["series"]
            runs, longest = connection.rows(
                "SELECT sum(count), max(duration_max_ns) FROM statement_rollups WHERE resolution = 60"
                " AND statement_id = ? AND t >= ? AND t < ?",
                (number, series["t"][0], series["t"][-1] + series["step"]),
            )[0]
            assert sum(series["runs"]) == runs
            assert max((each for each in series["max_ms"] if each is not None), default=None) == ms(longest)


def test_what_is_past_is_summed_once(stores: dict[int, Path]) -> None:
    window = of_range("7d", NOW)
    keys, figures = ("statement_id", "endpoint_id"), ("count", "duration_ns", "duration_max_ns")
    summed.forget()
    found = []
    with connect(f"sqlite:///{stores[MANY]}") as connection:
        taken = [
            steps(
                connection,
                lambda: found.append(
                    summed.summed(connection, window, "statement_rollups", keys, figures, None)
                ),
            )
            for _ in range(2)
        ]
        assert found[0] == found[1]
        assert taken[1] < taken[0] / 3
        assert found[0] == connection.rows(
            "SELECT statement_id, endpoint_id, sum(count), sum(duration_ns), max(duration_max_ns)"
            " FROM statement_rollups WHERE resolution = 3600 AND t >= ? GROUP BY 1, 2 ORDER BY 1, 2",
            (window.start,),
        )
