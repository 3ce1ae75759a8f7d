"""arq: a real worker on a real Redis."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from apm_agent.instruments import patching
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing

pytestmark = [
    pytest.mark.server,
    # arq asks for an older redis than the one that is tested, and calls it the older way.
    pytest.mark.filterwarnings("ignore:Call to '__init__' function with deprecated:DeprecationWarning"),
]

APP = '''
import asyncio
import os
import time
from arq import Retry, cron, func
from arq.connections import RedisSettings

async def add(ctx, a, b):
    return a + b

async def broken(ctx):
    raise ValueError("no such card: 'hunter2'")

async def flaky(ctx):
    if ctx["job_try"] < 3:
        try:
            raise ConnectionError("password=hunter2 refused")
        except ConnectionError as error:
            raise Retry(defer=0.01) from error

class Late:
    """Shown by the worker right before it calls the job: the run waits for its turn then, and the limit does not."""

    def __repr__(self):
        asyncio.get_running_loop().call_soon(time.sleep, 0.1)
        return "Late()"

async def endless(ctx, late):
    await asyncio.sleep(60)

async def parent(ctx):
    await ctx["redis"].enqueue_job("add", 5, 5)

async def tick(ctx):
    pass

class WorkerSettings:
    functions = [add, broken, func(flaky, name="shop.flaky"), func(endless, timeout=0.2), parent]
    cron_jobs = [cron(tick, run_at_startup=True)]
    redis_settings = RedisSettings.from_dsn(os.environ["BROKER"])
    burst = True
    poll_delay = 0.05
'''

ENQUEUE = """
import asyncio
import apm_agent
from arq import create_pool
import shop

@apm_agent.background_transaction("enqueuer")
async def enqueue():
    redis = await create_pool(shop.WorkerSettings.redis_settings)
    await redis.enqueue_job("add", 1, 1)
    await redis.enqueue_job("add", 1, 1, _defer_by=0.3)
    await redis.enqueue_job("endless", shop.Late())
    for name in ("broken", "shop.flaky", "parent"):
        await redis.enqueue_job(name)
    await redis.aclose()

asyncio.run(enqueue())
"""


def test_a_run_of_a_job_is_a_transaction(site: Any) -> None:
    site.write("shop.py", APP)
    site.write("enqueue.py", ENQUEUE)
    site.run("python", "enqueue.py")
    output = site.run("arq", "shop.WorkerSettings")
    enqueuer, parent = site.one("enqueuer"), site.one("parent")
    assert {ran.kind for ran in site.ran()} == {"background"}
    added = site.named("add", 3)
    assert sorted(ran.context["enqueued_by"] for ran in added) == sorted(
        [enqueuer.hex, enqueuer.hex, parent.hex]
    )
    assert all(ran.queue_ns is not None for ran in added)
    assert added[0].context["queue"] == "arq:queue"
    for ran in added:
        assert ran.queue_ns <= ran.started - enqueuer.started + 5_000_000, "clocks agree"

    broken = site.one("broken")
    assert broken.failed
    assert broken.error == "ValueError"
    tries = site.named("shop.flaky")
    assert [ran.failed for ran in tries] == [False, False, False]
    assert [ran.context.get("outcome") for ran in tries] == ["retry", "retry", None]
    assert [ran.context.get("retries") for ran in tries] == [None, 1, 2]
    assert tries[0].context["reason"].startswith("ConnectionError: ")
    endless = site.one("endless")
    assert endless.failed
    assert endless.error == "TimeoutError"
    assert site.named("cron:tick")  # at start-up; and again, if the test began just before a minute
    site.keeps_no_secret()
    assert "apm-agent failed" not in output


def test_the_application_installs_the_agent_itself(site: Any) -> None:
    site.write("shop.py", "import apm_agent\napm_agent.install(service='shop')\n" + APP)
    site.write("enqueue.py", ENQUEUE)
    site.run("python", "enqueue.py", watched=False)
    site.run("arq", "shop.WorkerSettings", watched=False)
    assert site.one("parent").context["enqueued_by"] == site.one("enqueuer").hex


async def _serialised(queue: str, redis_port: int, dumps: Any, loads: Any) -> bytes:
    from arq import create_pool
    from arq.connections import RedisSettings

    pool = await create_pool(
        RedisSettings(port=redis_port), job_serializer=dumps, job_deserializer=loads, default_queue_name=queue
    )
    active = tracing.tracer
    assert active is not None
    request = active.begin("web", "GET /")
    job = await pool.enqueue_job("add", 1, 2)
    active.end(request)
    assert job is not None
    data = await pool.get(f"arq:job:{job.job_id}")
    await pool.aclose()
    assert isinstance(data, bytes)
    return data


async def test_a_serializer_of_the_application_gets_what_it_knows(
    seen: list[Transaction], redis_port: int
) -> None:
    data = await _serialised("strict", redis_port, lambda job: json.dumps(job).encode(), json.loads)
    assert set(json.loads(data)) == {"t", "f", "a", "k", "et"}


async def test_others_read_what_we_write(seen: list[Transaction], redis_port: int) -> None:
    data = await _serialised("plain", redis_port, None, None)
    patching.remove()
    from arq.jobs import deserialize_job_raw

    assert deserialize_job_raw(data)[:3] == ("add", (1, 2), {})


def test_what_is_patched_stays_what_it_was() -> None:
    import arq.connections
    import arq.worker

    before = (
        arq.connections.serialize_job,
        arq.worker.deserialize_job_raw,
        vars(arq.worker.Worker)["__init__"],
    )
    patching.apply()
    assert inspect.signature(arq.connections.serialize_job) == inspect.signature(before[0])
    assert inspect.signature(arq.worker.Worker.__init__) == inspect.signature(before[2])
    patching.remove()
    assert before == (
        arq.connections.serialize_job, arq.worker.deserialize_job_raw, vars(arq.worker.Worker)["__init__"]
    )  # fmt: skip
