"""Each rule finds what it is for, says it truly, and nothing else."""

from __future__ import annotations

from pathlib import Path

from apm_agent import insights
from apm_agent.insights import INSIGHTS
from apm_agent.insights.blocked_by import blocked_by
from apm_agent.insights.blocked_loop import blocked_loop
from apm_agent.insights.gc_pause import gc_pause
from apm_agent.insights.hot_line import hot_line
from apm_agent.insights.memory_growth import memory_growth
from apm_agent.insights.repeated_query import repeated_query
from apm_agent.insights.slow_query import slow_query
from apm_agent.insights.slow_template import slow_template
from apm_agent.insights.slow_upstream import slow_upstream
from apm_agent.model.profile import RUNNING, UNCERTAIN, WAITING, Frame
from apm_agent.model.record import BlockedRecord, BlockingRecord
from apm_agent.queries.phrases import WORDS
from judging import MS, judged, plain, samples, span
from records import DRIVER, PRICE, STATEMENT, VIEW

LOOP = Frame("run_forever", "asyncio/base_events.py", 607, "std", "/lib/asyncio/base_events.py")
POOL = Frame("_worker", "concurrent/futures/thread.py", 83, "std", "/lib/concurrent/futures/thread.py")


class TestRepeatedQuery:
    def test_many_runs_from_one_line(self) -> None:
        [found] = repeated_query(plain(queries=43, spans=[span("db", 1) for _ in range(43)]))
        assert (found.text, found.count, found.cost_ns) == (
            "43 identical queries, up to 42 ms less as one", 43, 43 * MS,
        )  # fmt: skip
        assert (found.where, found.statement) == (VIEW, STATEMENT)

    def test_few_that_cost_much(self) -> None:
        assert repeated_query(plain(queries=5, spans=[span("db", 12) for _ in range(5)]))
        assert not repeated_query(plain(queries=5, spans=[span("db", 2) for _ in range(5)]))

    def test_other_lines_and_other_statements_are_others(self) -> None:
        mixed = [span("db", 5, where=Frame("f", "shop.py", n, "app", "")) for n in range(15)]
        mixed += [span("db", 5, statement=f"SELECT {n}") for n in range(15)]
        assert not repeated_query(plain(queries=30, spans=mixed))

    def test_it_costs_no_more_than_there_was(self) -> None:
        [found] = repeated_query(plain(50, queries=30, spans=[span("db", 10) for _ in range(30)]))
        assert found.cost_ns == 50 * MS

    def test_one_run_that_took_long_is_no_typical_one(self) -> None:
        runs = [span("db", 200), *(span("db", 0.5) for _ in range(42))]
        [found] = repeated_query(plain(400, queries=43, spans=runs))
        assert found.text == "43 identical queries, up to 21 ms less as one"
        [found] = repeated_query(plain(400, queries=20, spans=[span("db", 0.01) for _ in range(20)]))
        assert found.text == "20 identical queries", "next to nothing"

    def test_no_more_is_saved_than_was_spent(self) -> None:
        [found] = repeated_query(plain(50, queries=30, spans=[span("db", 10) for _ in range(30)]))
        assert found.text == "30 identical queries, up to 50 ms less as one"

    def test_a_pattern_is_told_where_frames_tell_it_of_each_run(self) -> None:
        def told(*via: Frame | None) -> str:
            runs = [span("db", 0.01, via=each) for each in via]
            [found] = repeated_query(plain(queries=20, spans=runs))
            return found.text

        file = "django/db/models/fields/related_descriptors.py"
        related = Frame("ForwardManyToOneDescriptor.get_object", file, 221, "lib", f"/site-packages/{file}")
        create = related._replace(
            function="create_reverse_many_to_one_manager.<locals>.RelatedManager.create"
        )
        assert told(*[related] * 20) == "20 identical queries, related objects of Django"
        assert told(None, *[related] * 19) == "20 identical queries, related objects of Django"
        assert told(None, None, *[related] * 18) == "20 identical queries", (
            "some were asked for in other ways"
        )
        assert told(*[create] * 20) == "20 identical queries"
        lazy = Frame("_LazyLoader._emit_lazyload", "sqlalchemy/orm/strategies.py", 1041, "lib", "")
        assert told(*[lazy] * 20) == "20 identical queries, lazy loads of SQLAlchemy"
        assert (
            told(*[lazy._replace(function="_SelectInLoader._load_for_path")] * 20) == "20 identical queries"
        )


class TestSlowQuery:
    def test_a_long_one(self) -> None:
        [found] = slow_query(plain(400, spans=[span("db", 310, "SELECT orders"), span("db", 5)]))
        assert (found.text, found.cost_ns, found.count) == (
            "SELECT orders takes 310 ms, 78 % of the time", 310 * MS, 1,
        )  # fmt: skip
        [found] = slow_query(plain(800, spans=[span("db", 310, "SELECT orders")]))
        assert found.text == "SELECT orders takes 310 ms"

    def test_short_runs_of_one_line_together(self) -> None:
        runs = [span("db", 40, "SELECT orders") for _ in range(3)]
        [found] = slow_query(plain(400, queries=3, spans=runs))
        assert (found.text, found.cost_ns, found.count) == (
            "SELECT orders takes 120 ms in 3 runs",
            120 * MS,
            3,
        )
        apart = [run._replace(where=PRICE._replace(line=line)) for line, run in enumerate(runs)]
        assert not slow_query(plain(400, queries=3, spans=apart))

    def test_half_of_a_slow_transaction(self) -> None:
        assert slow_query(plain(50, slow=True, spans=[span("db", 30)]))
        assert not slow_query(plain(50, slow=False, spans=[span("db", 30)]))
        assert not slow_query(plain(1, slow=True, spans=[span("db", 0.8)]))

    def test_what_is_repeated_is_not_blamed_twice(self) -> None:
        assert judged(plain(3000, queries=25, spans=[span("db", 110) for _ in range(25)])) == [
            "repeated_query"
        ]


class TestSlowUpstream:
    def test_it_names_the_host(self) -> None:
        [found] = slow_upstream(plain(300, spans=[span("http", 210, "GET api.example.com")]))
        assert (found.text, found.where) == ("waits 210 ms for api.example.com", VIEW)

    def test_calls_of_one_host_add_up(self) -> None:
        [found] = slow_upstream(plain(300, spans=[span("http", 60, "GET api"), span("http", 60, "POST api")]))
        assert (found.count, found.cost_ns) == (2, 120 * MS)

    def test_short_ones_are_fine(self) -> None:
        assert not slow_upstream(plain(300, spans=[span("http", 60, "GET api")]))


class TestSlowTemplate:
    def test_only_its_own_time_counts(self) -> None:
        [found] = slow_template(plain(300, spans=[span("template", 200, "orders.html", own=120 * MS)]))
        assert found.text == "template orders.html takes 120 ms"
        assert not slow_template(plain(300, spans=[span("template", 200, "orders.html", own=20 * MS)]))


class TestHotLine:
    def test_the_function_and_its_hottest_line(self) -> None:
        other = PRICE._replace(line=22)
        looks = samples(VIEW, PRICE, count=6) + samples(VIEW, other, count=2) + samples(VIEW, count=1)
        found = hot_line(plain(samples=looks))
        assert found is not None
        assert (found.text, found.where, found.cost_ns) == ("89 % of the time in price()", PRICE, 80 * MS)

    def test_libraries_are_the_time_of_the_line_that_called_them(self) -> None:
        found = hot_line(plain(samples=samples(VIEW, PRICE, DRIVER, DRIVER)))
        assert found is not None
        assert found.where == PRICE

    def test_how_little_of_it_a_processor_took_is_said(self) -> None:
        found = hot_line(plain(samples=samples(VIEW, PRICE), cpu_ns=2 * MS))
        assert found is not None
        assert found.text == "100 % of the time (2 % of it CPU) in price()"
        working = hot_line(plain(samples=samples(VIEW, PRICE), cpu_ns=95 * MS))
        assert working is not None
        assert working.text == "100 % of the time in price()"

    def test_time_in_a_query_has_its_own_name(self) -> None:
        looks = samples(VIEW, DRIVER, count=9) + samples(VIEW, PRICE, count=1, at=90)
        assert hot_line(plain(samples=looks, spans=[span("db", 92)])) is None

    def test_few_samples_say_nothing(self) -> None:
        assert hot_line(plain(samples=samples(VIEW, PRICE, count=4))) is None

    def test_no_own_code_no_line(self) -> None:
        assert hot_line(plain(samples=samples(DRIVER))) is None
        assert hot_line(plain(samples=samples(VIEW, count=20, state=WAITING))) is None

    def test_a_method_is_named_without_its_class(self) -> None:
        found = hot_line(plain(samples=samples(PRICE._replace(function="Shop.price"))))
        assert found is not None
        assert found.text == "100 % of the time in price()"

    def test_looks_past_the_limit_count(self) -> None:
        made = plain(samples=samples(VIEW, count=5), weights={((VIEW, PRICE), RUNNING): 900 * MS})
        found = hot_line(made)
        assert found is not None
        assert found.where == PRICE


class TestBlockedLoop:
    def test_one_line_that_keeps_the_loop(self) -> None:
        [found] = blocked_loop(plain(300, samples=samples(LOOP, VIEW, DRIVER, count=20)))
        assert (found.text, found.where, found.cost_ns) == ("blocks the event loop 200 ms", VIEW, 200 * MS)

    def test_uncertain_looks_belong_to_it(self) -> None:
        looks = samples(LOOP, VIEW, count=6) + samples(LOOP, VIEW, count=6, at=60, state=UNCERTAIN)
        assert blocked_loop(plain(300, samples=looks))

    def test_awaiting_gives_the_loop_back(self) -> None:
        looks = samples(LOOP, VIEW, count=6) + samples(VIEW, count=5, at=60, state=WAITING)
        looks += samples(LOOP, VIEW, count=6, at=110)
        assert not blocked_loop(plain(300, samples=looks))
        apart = samples(LOOP, VIEW, count=6) + samples(LOOP, VIEW, count=6, at=90)
        assert not blocked_loop(plain(300, samples=apart))

    def test_threads_may_block(self) -> None:
        assert not blocked_loop(plain(300, samples=samples(VIEW, count=20)))
        assert not blocked_loop(plain(300, samples=samples(POOL, VIEW, count=20)))
        assert not blocked_loop(plain(300, samples=samples(LOOP, POOL, VIEW, count=20)))

    def test_it_is_not_a_hot_line_and_an_upstream_too(self) -> None:
        made = plain(
            300,
            samples=samples(LOOP, VIEW, DRIVER, count=20),
            spans=[span("http", 200, "GET api.example.com")],
        )
        assert judged(made) == ["blocked_loop"]

    def test_who_waited_is_counted(self) -> None:
        looks = samples(LOOP, VIEW, count=20)
        [found] = blocked_loop(plain(300, samples=looks, blocking=BlockingRecord(49, 8_400 * MS, 0)))
        assert found.text == "blocks the event loop 200 ms, 49 others wait 8.4 s"
        [found] = blocked_loop(plain(300, samples=looks, blocking=BlockingRecord(1, 180 * MS, 0)))
        assert found.text == "blocks the event loop 200 ms, 1 other waits 180 ms"
        [found] = blocked_loop(plain(300, samples=looks, blocking=BlockingRecord(3, 0, 500 * MS)))
        assert found.text == "blocks the event loop 200 ms"


class TestBlockedBy:
    def test_the_culprit_and_its_line_are_named(self) -> None:
        rows = [BlockedRecord("GET /slow", 7, PRICE, 180 * MS, 0), BlockedRecord("GET /", 8, VIEW, 9 * MS, 0)]
        [found] = blocked_by(plain(300, blocked=rows))
        assert found.text == "waits 180 ms while GET /slow holds the event loop"
        assert (found.where, found.cost_ns) == (PRICE, 180 * MS)

    def test_what_is_not_certain_is_said_to_be_so(self) -> None:
        [found] = blocked_by(plain(300, blocked=[BlockedRecord("GET /slow", 7, PRICE, 10 * MS, 150 * MS)]))
        assert found.text == "perhaps waits 160 ms while GET /slow holds the event loop"

    def test_short_waits_are_nothing(self) -> None:
        assert not blocked_by(plain(300, blocked=[BlockedRecord("GET /slow", 7, PRICE, 20 * MS, 10 * MS)]))


def test_a_line_that_only_awaits_is_not_hot() -> None:
    made = plain(300, samples=samples(VIEW, count=2) + samples(VIEW, PRICE, count=25, at=20, state=WAITING))
    assert hot_line(made) is None


class TestGcPause:
    def test_long_collections(self) -> None:
        made = plain(100, gc_pauses=[(20 * MS, 15 * MS, 2)], samples=samples(VIEW, PRICE))
        found = gc_pause(made)
        assert found is not None
        assert (found.text, found.where) == ("garbage collection takes 15 ms", PRICE)

    def test_short_or_slight_ones_are_fine(self) -> None:
        assert gc_pause(plain(100, gc_pauses=[(0, 5 * MS, 2)])) is None
        assert gc_pause(plain(1000, gc_pauses=[(0, 20 * MS, 2)])) is None
        assert gc_pause(plain(1000)) is None


class TestMemoryGrowth:
    def test_what_stayed(self) -> None:
        found = memory_growth(plain(rss_before=10 * 2**20, rss_after=10 * 2**20 + 1_258_291))
        assert found is not None
        assert (found.text, found.cost_bytes, found.cost_ns) == ("keeps 1.2 MB", 1_258_291, 0)

    def test_not_when_others_ran(self) -> None:
        assert memory_growth(plain(rss_before=0, rss_after=2**24, overlap=1)) is None
        assert memory_growth(plain(rss_before=0, rss_after=2**19)) is None
        assert memory_growth(plain(rss_before=2**24, rss_after=0)) is None


def test_a_plain_transaction_has_nothing_to_say() -> None:
    assert judged(plain(20, spans=[span("db", 3)], queries=1, samples=samples(VIEW, count=2))) == []


def test_each_rule_stands_in_the_table_once_and_has_a_file_and_words() -> None:
    names = [rule.__name__ for rule in INSIGHTS]
    files = {path.stem for path in Path(insights.__file__).parent.glob("*.py")} - {"__init__", "evidence"}
    assert sorted(names) == sorted(files)
    assert set(names) <= set(WORDS)
