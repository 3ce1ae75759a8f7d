"""Huey: real consumers with each kind of worker on a real Redis, and immediate execution."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from apm_agent.instruments import patching
from apm_agent.model.scrub import scrub_text
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing

APP = """
import os
import time
from huey import CancelExecution, RedisHuey, crontab

huey = RedisHuey("work", url=os.environ["BROKER"])

@huey.task()
def add(a, b):
    return a + b

@huey.task()
def broken():
    raise ValueError("no such card: 'hunter2'")

@huey.task(retries=1)
def flaky():
    raise ConnectionError("password=hunter2 refused")

@huey.task()
def given_up():
    raise CancelExecution()

@huey.task()
def parent():
    add(5, 5)
"""

ENQUEUE = """
import time
import apm_agent
import shop

with apm_agent.background_transaction("enqueuer"):
    results = [shop.add(number, 1) for number in range(4)]
    shop.add.schedule((1, 1), delay=0.5)
    shop.broken(), shop.flaky(), shop.given_up(), shop.parent()
assert results[3].get(blocking=True, timeout=20) == 4
"""


@pytest.mark.server
@pytest.mark.parametrize("kind", ["thread", "process", "greenlet"])
def test_an_execution_of_a_task_is_a_transaction(site: Any, kind: str) -> None:
    site.write("shop.py", APP)
    site.write("enqueue.py", ENQUEUE)
    before = ("python", "-m", "gevent.monkey") if kind == "greenlet" else ()
    consumer = ("huey_consumer", "shop.huey", "-w", "2", "-k", kind, "-s", "1", "-d", "0.02", "-n")
    command = (*before, site.where("huey_consumer"), *consumer[1:]) if before else consumer
    with site.program(*command) as program:
        site.run("python", "enqueue.py")
        added = site.named("shop.add", 6)
        site.named("shop.flaky", 2)
        assert program.stop(2) == 0, program.output
    assert {ran.kind for ran in site.ran()} == {"background"}
    scheduled = [ran for ran in added if ran.queue_ns is not None]
    assert len(scheduled) == 1, "its message says when it was to start; others say nothing"
    assert added[0].context["queue"] == "work"
    broken = site.one("shop.broken")
    assert broken.failed
    assert broken.error == "ValueError"
    tries = site.named("shop.flaky")
    assert [(ran.failed, ran.context.get("outcome")) for ran in tries] == [(False, "retry"), (True, None)]
    assert tries[0].context["reason"].startswith("ConnectionError: ")
    assert site.one("shop.given_up").context["outcome"] == "canceled"
    site.keeps_no_secret()
    assert "apm-agent failed" not in program.output


@pytest.mark.server
def test_r25_processes_that_live_for_one_task_lose_nothing(site: Any) -> None:
    from huey.consumer import Worker

    if "max_tasks" not in inspect.signature(Worker).parameters:
        pytest.skip("this Huey has no --max-tasks")
    site.env["APM_AGENT_FLUSH_INTERVAL"] = "60"  # nothing is written but at the end
    site.write("shop.py", "import apm_agent\napm_agent.install(service='shop')\n" + APP)
    site.write("enqueue.py", "from shop import add\nfor number in range(4):\n    add(number, 1)\n")
    site.run("python", "enqueue.py", watched=False)
    with site.program(
        "huey_consumer", "shop.huey", "-w", "1", "-k", "process", "-n", "--max-tasks", "1", "-c", "0.05",
        watched=False,
    ) as program:  # fmt: skip
        site.named("shop.add", 4)
        assert program.stop(2) == 0, program.output
    assert len(site.named("shop.add")) == 4


class TestImmediate:
    @pytest.fixture
    def huey(self, seen: list[Transaction]) -> Any:
        from huey import MemoryHuey

        return MemoryHuey("here", immediate=True)

    def test_it_is_a_transaction_where_there_is_none(self, huey: Any, seen: list[Transaction]) -> None:
        def broken() -> None:
            raise KeyError("hunter2")

        huey.task()(broken)()
        (job,) = seen
        assert (job.kind, job.name) == ("background", f"{__name__}.broken")
        assert job.failure is not None
        assert job.failure.type == "KeyError"
        assert "hunter2" not in scrub_text(job.failure.message)  # as the writer does

    def test_it_is_a_span_of_the_request_that_runs_it(self, huey: Any, seen: list[Transaction]) -> None:
        active = tracing.tracer
        assert active is not None
        request = active.begin("web", "GET /")

        def double(number: int) -> int:
            return number * 2

        assert huey.task()(double)(2).get() == 4
        active.end(request)
        assert seen == [request]
        assert [(span.kind, span.name) for span in request.spans] == [("code", f"{__name__}.double")]


def test_what_is_patched_stays_what_it_was() -> None:
    from huey.api import Huey

    before = {name: vars(Huey)[name] for name in ("_execute", "_emit")}
    patching.apply()
    assert all(inspect.signature(vars(Huey)[name]) == inspect.signature(before[name]) for name in before)
    patching.remove()
    assert {name: vars(Huey)[name] for name in before} == before
