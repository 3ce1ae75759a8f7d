"""The plugin itself: assertions, blocks, markers, xdist, an agent that is on already, and what is left after a test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apm_agent
from servers import environment

Run = Callable[..., Any]

JOBS = """
    import apm_agent as apm
    import shop

    @apm.background_transaction("report")
    def report(make=shop.slowly):
        return make(shop.connect())
"""


def test_functions_and_pieces(run: Run) -> None:
    done = run(
        {
            "jobs.py": JOBS,
            "test_jobs.py": """
                import pytest, shop
                from jobs import report

                def test_a_job(apm):
                    report()
                    assert (apm.last.kind, apm.last.name, apm.last.queries) == ("background", "report", 16)
                    apm.assert_max_queries(16)
                    with pytest.raises(AssertionError, match="report ran 16 statements, at most 15 allowed"):
                        apm.assert_max_queries(15)

                def test_a_block_judges_itself_alone(apm):
                    report()
                    connection = shop.connect()
                    with apm.assert_max_queries(1):
                        shop.quickly(connection)
                    with apm.assert_no_repeated_queries():
                        shop.quickly(connection)
                    with pytest.raises(AssertionError, match="test_a_block_judges_itself_alone ran 13 statements"):
                        with apm.assert_max_queries(12):
                            shop.slowly(connection)
                    assert [t.name for t in apm.transactions] == ["report"] + [
                        "test_a_block_judges_itself_alone"] * 3

                def test_an_error_in_a_block_is_the_error(apm):
                    with pytest.raises(LookupError):
                        with apm.assert_max_queries(0):
                            shop.slowly(shop.connect())
                            raise LookupError

                def test_repeats_may_be_allowed(apm):
                    report()
                    apm.assert_no_repeated_queries(allowed=12)
                    with pytest.raises(AssertionError, match="from one line at most 11 times"):
                        apm.assert_no_repeated_queries(allowed=11)

                def test_of_one_endpoint(apm):
                    report()
                    apm.assert_max_queries(16, endpoint="report")
                    with pytest.raises(AssertionError, match="endpoint 'rapport' was recorded; there were: report"):
                        apm.assert_max_queries(16, endpoint="rapport")

                def test_nothing_recorded_is_no_success(apm):
                    with pytest.raises(AssertionError, match="no transaction was recorded"):
                        apm.assert_max_queries(3)
                    with pytest.raises(AssertionError, match="no transaction was recorded"):
                        apm.last

                @pytest.mark.parametrize(("call", "words"), [
                    (lambda apm: apm.assert_max_queries("5"), "assert_max_queries\\\\('5'\\\\)"),
                    (lambda apm: apm.assert_max_queries(-1), "whole number from 0"),
                    (lambda apm: apm.assert_no_repeated_queries(0), "whole number from 1"),
                    (lambda apm: apm.assert_p95(0), "number above 0"),
                    (lambda apm: apm.assert_p95(5, calls=0), "calls is from 1"),
                    (lambda apm: apm.assert_rss("5 apples"), "'5 apples' is no size"),
                ])
                def test_bad_arguments_are_named(apm, call, words):
                    with pytest.raises(ValueError, match=words):
                        call(apm)
            """,
        }
    )
    assert done.counts == {"passed": 12}, done.text


def test_p95_and_memory(run: Run) -> None:
    done = run(
        {
            "test_jobs.py": """
                import pytest
                import apm_agent

                kept = []

                @apm_agent.background_transaction("fast")
                def fast(): pass

                @apm_agent.background_transaction("keeps")
                def keeps(): kept.append(bytearray(b"x" * 4_000_000))

                def test_p95(apm):
                    for _ in range(20):
                        fast()
                    apm.assert_p95(10_000)
                    with pytest.raises(AssertionError, match="fast: the p95 of 20 calls is .* at most 1e-06 ms"):
                        apm.assert_p95(0.000001)
                    with pytest.raises(AssertionError, match="takes 20 calls of one endpoint after 1 to warm up, "
                                                             "and there were: fast 20"):
                        apm.assert_p95(10_000, warm_up=1)

                def test_rank(apm, monkeypatch):
                    from apm_agent.testing.fixture import _p95
                    assert _p95(list(range(1, 101))) == 95
                    assert _p95(list(range(1, 20))) == 19
                    assert _p95(list(range(1, 21))) == 19

                def test_memory(apm):
                    for _ in range(5):
                        keeps()
                    apm.assert_rss("1GB")
                    with pytest.raises(AssertionError, match="resident memory grew by .* MB over 5 transactions, "
                                                             "at most 1.0 MB allowed: .*keeps kept"):
                        apm.assert_rss("1MB")

                def test_no_memory_without_transactions(apm):
                    with pytest.raises(AssertionError, match="could not be judged: no transaction was recorded"):
                        apm.assert_rss("1MB")
            """
        }
    )
    assert done.counts == {"passed": 4}, done.text


def test_markers(run: Run) -> None:
    done = run(
        {
            "jobs.py": JOBS,
            "test_jobs.py": """
                import pytest, shop
                from jobs import report

                @pytest.mark.apm(max_queries=5)
                def test_fails():
                    report()

                @pytest.mark.apm(no_repeated_queries=True)
                async def test_fails_async():
                    report()

                @pytest.mark.apm(max_queries=5, no_repeated_queries=True)
                def test_passes(apm):
                    report(shop.quickly)

                @pytest.mark.apm(max_querys=5)
                def test_misspelt(): pass

                @pytest.mark.apm(max_queries=5)
                def test_own_error_stays():
                    report()
                    raise LookupError("mine")
            """,
        }
    )
    assert done.counts == {"failed": 3, "passed": 1, "error": 1}, done.text
    assert "report ran 16 statements, at most 5 allowed" in done.text
    assert "takes max_queries and no_repeated_queries by name, not max_querys" in done.text
    assert "LookupError: mine" in done.text


LEFT = """
    import sqlite3, sys, os
    import pytest
    import shop
    import apm_agent
    from apm_agent.instruments import patching
    from apm_agent.tracing import tracer as tracing

    def state():
        return (sqlite3.connect, list(sys.meta_path), tracing.tracer, dict(os.environ), patching.states(),
                apm_agent.current_transaction(), len(os.listdir("/proc/self/fd")), len(sys._current_frames()))

    @pytest.fixture
    def around():
        before = state()
        yield
        before[3].pop("PYTEST_CURRENT_TEST"), (after := state())[3].pop("PYTEST_CURRENT_TEST")
        assert after == before

    @pytest.mark.parametrize("number", range(3))
    def test_it(around, apm, number):
        assert sqlite3.connect is not around
        apm_agent.install(slow="1s")   # as an application does; it stays off
        with apm_agent.background_transaction("job"):
            shop.quickly(shop.connect())
        apm.assert_max_queries(5)

    def test_bad():
        assert tracing.tracer is None
        assert not os.path.exists(".apm-agent")
"""


def test_leaves_nothing_behind(run: Run) -> None:
    done = run({"test_left.py": LEFT})
    assert done.counts == {"passed": 4}, done.text


def test_under_xdist(run: Run) -> None:
    done = run({"test_left.py": LEFT}, "-n", "2")
    assert done.counts == {"passed": 4}, done.text


def test_beside_an_agent_that_is_on(run: Run) -> None:
    done = run(
        {
            "jobs.py": JOBS,
            "test_jobs.py": """
                import sqlite3
                import apm_agent, pytest
                from apm_agent.tracing import tracer as tracing
                from jobs import report

                @pytest.fixture(scope="module", autouse=True)
                def agent(tmp_path_factory):
                    store = tmp_path_factory.mktemp("store") / "apm.db"
                    apm_agent.install(store=f"sqlite:///{store}")
                    yield store
                    apm_agent.uninstall()

                def test_sees_and_hands_on(agent, apm):
                    report()
                    assert apm_agent.flush(10)
                    apm.assert_max_queries(16)   # also after the agent's own writer is done with it
                    with pytest.raises(AssertionError, match="12× SELECT name"):
                        apm.assert_no_repeated_queries()
                    assert [t.name for t in apm.transactions] == ["report"]

                def test_goes_on_afterwards(agent):
                    report()
                    assert apm_agent.flush(10)
                    rows = sqlite3.connect(agent).execute("SELECT count(*), sum(queries) FROM transactions").fetchone()
                    assert rows == (2, 32)

                def test_taken_away_in_the_middle_is_told(agent, apm):
                    apm_agent.uninstall()
                    with pytest.raises(Exception, match="installed or uninstalled during this test"):
                        apm.transactions
            """,
        }
    )
    assert done.counts == {"passed": 3}, done.text


def test_under_apm_agent_run(run: Run, tmp_path: Path) -> None:
    # As a wheel lies there: pytest reads the list of its files, and would rewrite what it finds imported already.
    site = tmp_path / "site"
    about = site / "apm_agent-0.1.0.dist-info"
    about.mkdir(parents=True)
    (site / "apm_agent").symlink_to(Path(apm_agent.__file__).parent)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: apm-agent\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[pytest11]\nany-plugin = colorsys\n")
    (about / "RECORD").write_text("apm_agent/__init__.py,,\napm_agent/testing/plugin.py,,\n")
    done = run(
        {
            "jobs.py": JOBS,
            "test_jobs.py": """
                from jobs import report

                def test_sees(apm):
                    report()
                    assert apm.last.queries == 16
            """,
        },
        watched=True,
        PYTHONPATH=str(site),
    )
    assert done.counts == {"passed": 1}, done.text


def test_loading_it_turns_nothing_on_and_loads_little() -> None:
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import apm_agent.testing.plugin\n"
        "from apm_agent.tracing import tracer\n"
        "assert tracer.tracer is None\n"
        "ours = [m for m in sys.modules if m not in before and m.startswith('apm_agent')]\n"
        "assert not [m for m in ours if 'instruments' in m or 'recording' in m or 'integrations' in m], ours\n"
        "assert not {'flask', 'django', 'starlette', 'sqlite3'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
