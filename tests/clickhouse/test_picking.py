"""What a statement picks is asked of ClickHouse in its own words, or, where it is not understood, not at all."""

from __future__ import annotations

import pytest

from apm_agent.queries.filters import CHOSEN, ONE, Filters, statement, values
from apm_agent.queries.needs import Newest, Transactions, needs
from apm_agent.queries.picking import Picked

_FAR = {"endpoints": {1: 101, 2: 102}, "releases": {7: 707}}


def _far(table: str, number: int) -> int | None:
    return _FAR[table].get(number)


def _pick(sql: str, *parameters: object) -> Picked:
    (found,) = needs(sql, parameters)
    assert isinstance(found, Picked), found
    return found


def test_every_filter_of_a_list_of_transactions_is_said() -> None:
    filters = Filters(min_ns=5, max_ns=9, status=500, failed=True, kept=True, text=r"a_b!c\d%")
    sql = statement(filters, (7, 8), (4, 3), "x.duration_ns", CHOSEN)
    found = _pick(sql, "[1, 2, 3]", 10, 20, *values(filters, (7, 8), (4, 3)), 201)
    assert (found.column, found.descending, found.limit, found.bounds) == ("duration_ns", True, 201, (10, 20))
    like = r"'%a\\_b!c\\\\d\\%%'"
    said = found.where(_far)
    assert said.startswith(
        "endpoint_id IN (101, 102) AND started_at >= 10 AND started_at < 20 AND duration_ns >= 5 AND duration_ns <= 9"
        " AND status = 500 AND failed = 1 AND kept IS NOT NULL AND release_id IN (707)"
        f" AND (path ILIKE {like} OR error ILIKE {like} OR context ILIKE "
    )
    assert said.endswith(" AND (duration_ns, id) < (4, 3)")


def test_what_names_nothing_finds_nothing() -> None:
    sql = statement(Filters(), (), None, "x.started_at", ONE)
    found = _pick(sql, 9, 10, 20, *values(Filters(), (), None), 5)
    assert "endpoint_id IN (NULL)" in found.where(_far)
    assert "release_id IN (NULL)" in found.where(_far)


def test_a_detail_that_must_be_there_is_told() -> None:
    found = _pick(
        "SELECT d.data FROM transactions x JOIN traces d ON d.transaction_id = x.id WHERE x.endpoint_id = ?"
        " AND x.started_at >= ? AND x.started_at < ? AND x.kept IS NOT NULL ORDER BY x.started_at DESC LIMIT ?",
        1, 10, 20, 50,
    )  # fmt: skip
    assert found.traced


def test_slices_are_picked_where_they_are_a_small_part() -> None:
    sql = (
        "WITH RECURSIVE slices (at) AS (VALUES (?) UNION ALL SELECT at + ? FROM slices WHERE at + ? < ?)"
        " SELECT x.id FROM slices CROSS JOIN transactions x"
        " WHERE x.endpoint_id = ? AND x.started_at >= at AND x.started_at < at + ? LIMIT ?"
    )
    found = _pick(sql, 100, 10, 10, 200, 2, 3, 50)
    assert found.where(_far).endswith("(started_at - 100) % 10 < 3 AND endpoint_id IN (102)")
    assert needs(sql, (100, 10, 10, 200, 2, 9, 50)) == [Transactions(100, 210)]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT id FROM transactions WHERE started_at >= ? AND started_at < ? AND path = ? ORDER BY started_at DESC"
         " LIMIT ?", (10, 20, "/", 5)),
        ("SELECT id FROM transactions WHERE started_at >= ? AND started_at < ? ORDER BY duration_ns DESC LIMIT ?",
         (10, 20, 200_000)),
        (statement(Filters(text="é"), None, None, "x.started_at", CHOSEN),
         ("[1]", 10, 20, *values(Filters(text="é"), None, None), 5)),
        ("SELECT count(*) FROM transactions x WHERE x.started_at >= ? AND x.started_at < ?", (10, 20)),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_drawn_whole(sql: str, parameters: tuple[object, ...]) -> None:
    assert needs(sql, parameters) == [Transactions(10, 20)]


def test_the_ends_of_all_time_take_little() -> None:
    both = "SELECT (SELECT min(started_at) FROM transactions), (SELECT max(started_at) FROM transactions)"
    assert needs(both, ()) == [Newest()]
    assert needs("SELECT count(*) FROM transactions WHERE started_at < ?", (30,)) == [Transactions(0, 30)]
    last = _pick("SELECT max(started_at) FROM transactions WHERE endpoint_id = ?", 1)
    assert (last.where(_far), last.column, last.limit) == ("endpoint_id IN (101)", "started_at", 1)


def test_what_goes_on_with_the_newest_has_those_alone() -> None:
    inner = (
        "SELECT endpoint_id FROM (SELECT endpoint_id, gc_ns FROM transactions"
        " WHERE started_at >= ? AND started_at < ?{} ORDER BY started_at DESC LIMIT ?) WHERE gc_ns > 0"
    )
    assert needs(inner.format(""), (10, 20, 200_000)) == [Transactions(10, 20, 200_000)]
    released = inner.format(" AND release_id IN (?)")
    assert needs(released, (10, 20, 7, 200_000)) == [Transactions(10, 20)]
    few = _pick(inner.format(" AND rss_after IS NOT NULL AND kept IS NOT 'captured'"), 10, 20, 500)
    assert few.where(_far).endswith("rss_after IS NOT NULL AND ifNull(kept, '') != 'captured'")
