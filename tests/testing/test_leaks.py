"""The leak check: a test for each thing that may be left behind, run by pytest itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]

CONFTEST = """
    import pytest
    from apm_agent.testing import leaks

    leaks.PATIENCE = 0.2

    @pytest.fixture(autouse=True)
    def _leaves_nothing(apm_leaves_nothing): ...
"""


def test_each_is_named(run: Run) -> None:
    done = run(
        {
            "conftest.py": CONFTEST,
            "test_leaks.py": """
                import _thread, os, sys, threading, time
                import apm_agent, pytest
                from apm_agent.instruments import patching
                from apm_agent.tracing import tracer as tracing
                from apm_agent.tracing.tracer import Tracer
                import sqlite3

                stop = threading.Event()

                def test_thread():
                    threading.Thread(target=stop.wait, name="the-poller", daemon=True).start()

                def test_raw_thread():
                    def lingering():
                        runs.set()
                        stop.wait()
                    runs = threading.Event()
                    _thread.start_new_thread(lingering, ())
                    assert runs.wait(10)

                def test_descriptor(tmp_path):
                    os.open(tmp_path, os.O_RDONLY)

                def test_patches():
                    patching.apply()

                def test_transaction():
                    # as of a tracer that is on no more
                    tracing.tracer = Tracer(lambda transaction: None)
                    tracing.tracer.begin("background", "never ended")
                    tracing.tracer = None

                def test_interval():
                    sys.setswitchinterval(0.001)

                def test_agent(tmp_path):
                    apm_agent.install(store=f"sqlite:///{tmp_path}/apm.db", instruments_off="sqlite3")

                def test_sampler(tmp_path):
                    from apm_agent.model.transaction import Transaction
                    from apm_agent.profiling import attribution
                    attribution.begin(Transaction("web", "GET /never", 1))
            """,
        }
    )
    assert done.counts == {"passed": 8, "errors": 8}, done.text
    for words in ("a thread: the-poller in wait() at", "a thread: without a name in wait() at", "descriptor ",
                  "patches of sqlite3:connect", "a current transaction: never ended",
                  "a switch interval of 0.001 s, before 0.005 s", "the agent, still on: call apm_agent.uninstall()",
                  "work in the sampler's books"):  # fmt: skip
        assert words in done.text, (words, done.text)


def test_what_goes_away_by_itself_is_none(run: Run) -> None:
    done = run(
        {
            "conftest.py": CONFTEST.replace("0.2", "10.0"),
            "test_leaks.py": """
                import gc, os, sqlite3, threading, time
                import apm_agent

                def test_a_thread_that_is_ending():
                    threading.Thread(target=time.sleep, args=(0.3,)).start()

                def test_a_circle_with_a_connection(tmp_path):
                    class Circle: pass
                    circle = Circle()
                    circle.me, circle.connection = circle, open(tmp_path / "x", "w", buffering=1)
                    circle.connection.close()

                def test_an_agent_that_was_taken_away(tmp_path):
                    apm_agent.install(store=f"sqlite:///{tmp_path}/apm.db", memory=False)
                    with apm_agent.background_transaction("job"):
                        sqlite3.connect(":memory:").execute("SELECT 1")
                    apm_agent.flush(10)
                    apm_agent.uninstall()

                def test_the_fixture(apm):
                    with apm.assert_max_queries(1):
                        sqlite3.connect(":memory:").execute("SELECT 1")
            """,
        }
    )
    assert done.counts == {"passed": 4}, done.text


def test_what_collecting_takes_is_not_taken_from_the_patience(run: Run) -> None:
    """In a large process a collection takes as long as the patience is."""
    done = run(
        {
            "conftest.py": CONFTEST.replace("0.2", "0.5"),
            "test_leaks.py": """
                import gc, threading, time

                def slow(phase, info):
                    if phase == "stop" and info["generation"] == 2:
                        time.sleep(0.5)

                def test_a_thread_that_is_ending():
                    threading.Thread(target=time.sleep, args=(1.2,)).start()
                    gc.callbacks.append(slow)
            """,
        }
    )
    assert done.counts == {"passed": 1}, done.text
