"""Ways a secret comes by an application that need a process of their own: Django's settings, the workers of jobs.

Run with JSON on its standard input: the store, the port of redis, and the canary of each of `WAYS` by its name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import apm_agent
from servers import PYTHON, environment


class CanaryError(Exception):
    """What jobs end with."""


def rq_job(given: str, password: str) -> None:
    held = [given, password]
    raise CanaryError(len(held))


async def arq_job(context: Any, given: str, password: str) -> None:
    held = [given, password]
    raise CanaryError(len(held))


def apart_django_orm(canary: str, redis_port: int) -> None:
    from django.db import connection, models

    class Item(models.Model):
        name = models.CharField(max_length=100, unique=True)

        class Meta:
            app_label = "canary"

    with connection.schema_editor() as editor:
        editor.create_model(Item)
    with apm_agent.background_transaction("apart_django_orm"):
        Item.objects.create(name=canary)
        Item.objects.bulk_create([Item(name=canary + "2"), Item(name=canary + "3")])
        list(
            Item.objects.filter(name__contains=canary)
            .exclude(name=f"not {canary}")
            .extra(where=[f"'{canary}' = name"])
        )
        Item.objects.filter(name=canary).update(name=canary)
        list(Item.objects.raw("SELECT * FROM canary_item WHERE name = %s", [canary]))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT '{canary}' -- {canary}")
            cursor.executemany("UPDATE canary_item SET name = name WHERE name = %s", [(canary,), (canary,)])
    with apm_agent.background_transaction("apart_django_orm fails"):
        Item.objects.get(name=f"no {canary}")


def apart_django_cache(canary: str, redis_port: int) -> None:
    from django.core.cache import caches

    with apm_agent.background_transaction("apart_django_cache"):
        for name in ("default", "redis"):
            cache = caches[name]
            cache.set(canary, canary)
            cache.get(canary)
            cache.get_many([canary, f"{canary}2"])
            cache.get_or_set(f"{canary}3", lambda: canary)
            cache.add(f"{canary}4", 1)
            cache.incr(f"{canary}4")
            cache.delete_many([canary, f"{canary}4"])
        cache.incr(f"{canary} is not there")


def apart_rq(canary: str, redis_port: int) -> None:
    from redis import Redis
    from rq import Queue, SimpleWorker

    connection = Redis(port=redis_port)
    queue = Queue("canary", connection=connection)
    queue.enqueue("canaries_apart.rq_job", canary, password=canary)
    SimpleWorker([queue], connection=connection).work(burst=True)


def apart_arq(canary: str, redis_port: int) -> None:
    from arq import Worker, create_pool
    from arq.connections import RedisSettings

    async def run() -> None:
        settings = RedisSettings(port=redis_port)
        pool = await create_pool(settings, default_queue_name="canary")
        await pool.enqueue_job("arq_job", canary, password=canary)
        worker = Worker(
            [arq_job],
            queue_name="canary",
            redis_settings=settings,
            burst=True,
            handle_signals=False,
            max_tries=1,
            poll_delay=0.05,
        )
        await worker.main()
        await worker.close()
        await pool.aclose()

    asyncio.run(run())


def apart_apscheduler(canary: str, redis_port: int) -> None:
    from apscheduler.events import EVENT_JOB_ERROR
    from apscheduler.schedulers.background import BackgroundScheduler

    done = threading.Event()
    scheduler = BackgroundScheduler()
    scheduler.add_listener(lambda event: done.set(), EVENT_JOB_ERROR)
    scheduler.add_job(rq_job, args=[canary], kwargs={"password": canary}, name="apart_apscheduler")
    scheduler.start()
    assert done.wait(30)
    scheduler.shutdown()


WAYS: dict[str, Callable[[str, int], None]] = {
    run.__name__: run
    for run in (apart_django_orm, apart_django_cache, apart_rq, apart_arq, apart_apscheduler)
}
#: What is kept of each, to see that it was gone: the name of a transaction.
KEPT = (
    "apart_django_orm", "apart_django_orm fails", "apart_django_cache", "canaries_apart.rq_job", "arq_job",
    "__main__.rq_job",
)  # fmt: skip


def send(store: str, redis_port: int, canaries: dict[str, str]) -> None:
    """Run all of it in a process of its own; what that prints is not the agent's."""
    told = {"store": store, "redis": redis_port, "canaries": canaries}
    done = subprocess.run(
        [PYTHON, __file__], input=json.dumps(told), env=environment(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def main() -> None:
    told = json.load(sys.stdin)
    logging.basicConfig(level="DEBUG", stream=sys.stdout)
    apm_agent.install(store=told["store"], slow=0, max_details=10_000, flush_interval=0.1, service="apart")
    import django
    from django.conf import settings

    backends = "django.core.cache.backends."
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CACHES={
            "default": {"BACKEND": f"{backends}locmem.LocMemCache"},
            "redis": {
                "BACKEND": f"{backends}redis.RedisCache",
                "LOCATION": f"redis://127.0.0.1:{told['redis']}/1",
            },
        },
        LOGGING_CONFIG=None,
    )
    django.setup()
    for name, run in WAYS.items():
        try:
            run(told["canaries"][name], told["redis"])
        except Exception as error:
            print(name, type(error).__name__)  # what was meant to fail did
    assert apm_agent.flush(20)


if __name__ == "__main__":
    main()
