"""Waits for connections, misses of a cache and many rows are told from one line on, as spans say of them."""

from __future__ import annotations

from apm_agent.insights.big_result import big_result
from apm_agent.insights.cache_misses import cache_misses
from apm_agent.insights.connection_wait import connection_wait
from judging import MS, judged, plain, samples, span
from records import DRIVER, PRICE, STATEMENT, VIEW

POOL = "connection pool"


class TestConnectionWait:
    def test_waits_of_one_line_add_up(self) -> None:
        [found] = connection_wait(plain(spans=[span("wait", 15, POOL), span("wait", 15, POOL)]))
        assert (found.text, found.cost_ns, found.count, found.where) == (
            "waits 30 ms for a connection from the pool", 30 * MS, 2, VIEW,
        )  # fmt: skip

    def test_connecting_is_not_waiting(self) -> None:
        assert not connection_wait(plain(spans=[span("wait", 50, POOL, own=MS)]))

    def test_short_waits_other_lines_and_other_waits_are_fine(self) -> None:
        assert not connection_wait(plain(spans=[span("wait", 15, POOL), span("wait", 15, POOL, where=PRICE)]))
        assert not connection_wait(plain(spans=[span("wait", 300, "lock"), span("wait", 15, POOL)]))

    def test_most_of_a_slow_transaction(self) -> None:
        assert connection_wait(plain(25, slow=True, spans=[span("wait", 15, POOL)]))

    def test_what_never_came_is_said(self) -> None:
        vain = span("wait", 30, POOL, tags={"error": "Empty"})
        [found] = connection_wait(plain(spans=[vain]))
        assert found.text.endswith("from the pool, in vain")
        [found] = connection_wait(plain(spans=[vain, span("wait", 30, POOL)]))
        assert found.text.endswith("from the pool, 1 times in vain")


class TestCacheMisses:
    def test_misses_from_one_line(self) -> None:
        reads = [span("cache", 1, "GET", tags={"hits": 0, "misses": 1}) for _ in range(24)]
        hits = [span("cache", 1, "GET", tags={"hits": 1, "misses": 0}) for _ in range(6)]
        [found] = cache_misses(plain(spans=[*reads, *hits]))
        assert (found.text, found.cost_ns, found.count, found.where) == (
            "24 of 30 reads miss the cache", 24 * MS, 24, VIEW,
        )  # fmt: skip

    def test_many_at_once_count_each(self) -> None:
        assert cache_misses(plain(spans=[span("cache", 1, "MGET", tags={"hits": 2, "misses": 40})]))

    def test_a_cache_that_mostly_has_it_is_fine(self) -> None:
        assert not cache_misses(plain(spans=[span("cache", 1, "MGET", tags={"hits": 100, "misses": 40})]))

    def test_few_misses_other_lines_and_other_commands_are_fine(self) -> None:
        few = [span("cache", 1, "GET", tags={"hits": 0, "misses": 1}) for _ in range(19)]
        assert not cache_misses(plain(spans=[*few, few[0]._replace(where=PRICE)]))
        assert not cache_misses(plain(spans=[span("cache", 1, "SET") for _ in range(50)]))


class TestBigResult:
    def test_one_run_with_many_rows(self) -> None:
        few, many = (span("db", 30, "SELECT customer", tags={"rows": rows}) for rows in (5, 12_000))
        [found] = big_result(plain(spans=[few, many, many]))
        assert (found.text, found.cost_ns, found.count) == ("SELECT customer returns 12,000 rows", 60 * MS, 2)
        assert (found.where, found.statement) == (VIEW, STATEMENT)

    def test_what_is_made_of_them_on_that_line_is_its_cost(self) -> None:
        looks = [*samples(VIEW, DRIVER, count=9), *samples(VIEW, PRICE, count=2, at=90)]
        made = plain(120, spans=[span("db", 30, tags={"rows": 2000})], samples=looks)
        [found] = big_result(made)
        assert found.cost_ns == (30 + 60) * MS
        assert judged(made) == ["big_result"], "and not a hot line too"

    def test_changed_rows_and_pieces_are_not_returned(self) -> None:
        for statement in ("UPDATE a SET b = ?", "WITH x AS (SELECT ?) DELETE FROM a", None):
            assert not big_result(plain(spans=[span("db", 30, statement=statement, tags={"rows": 5000})]))
        locked = "SELECT a FROM b WHERE c = ? FOR UPDATE"
        assert big_result(plain(spans=[span("db", 30, statement=locked, tags={"rows": 5000})]))

    def test_few_rows_and_unknown_ones_are_fine(self) -> None:
        assert not big_result(plain(spans=[span("db", 30, tags={"rows": 999}), span("db", 30)]))


def test_what_a_line_works_besides_reads_and_waits_is_hot() -> None:
    reads = [span("cache", 0.1, "GET", tags={"hits": 0, "misses": 1}) for _ in range(24)]
    assert judged(plain(spans=reads, samples=samples(VIEW))) == ["cache_misses", "hot_line"]
