"""Django's caches in a process of their own, for settings are one a process; prints their spans as JSON."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
import sys
from contextlib import contextmanager
from pathlib import Path

import django
from django.conf import settings

from apm_agent.errors import contained
from apm_agent.instruments import patching
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current
from apm_agent.tracing.tracer import Tracer

folder, redis_port, memcached_port = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
BACKENDS = "django.core.cache.backends."
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.db"}},
    CACHES={
        "default": {"BACKEND": f"{BACKENDS}locmem.LocMemCache"},
        "file": {"BACKEND": f"{BACKENDS}filebased.FileBasedCache", "LOCATION": folder / "cache"},
        "db": {"BACKEND": f"{BACKENDS}db.DatabaseCache", "LOCATION": "cached"},
        "redis": {
            "BACKEND": f"{BACKENDS}redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{redis_port}/1",
        },
        "django_redis": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{redis_port}/2",
        },
        "memcached": {
            "BACKEND": f"{BACKENDS}memcached.PyMemcacheCache",
            "LOCATION": f"127.0.0.1:{memcached_port}",
        },
    },
    USE_TZ=True,
)
django.setup()

from django.core.cache import caches  # noqa: E402  (caches can be used only once the settings are there)
from django.core.cache.backends.locmem import LocMemCache  # noqa: E402
from django.core.management import call_command  # noqa: E402

tracing.tracer = Tracer(sink=lambda transaction: None)
seen: dict[str, object] = {}
SECRET = "hunter2"
call_command("createcachetable")


@contextmanager
def watch(name):
    opened = tracing.tracer.begin("web", name)
    try:
        yield
    finally:
        assert current.get() is opened, name
        tracing.tracer.end(opened)
        assert SECRET not in repr([(s.name, s.tags) for s in opened.spans])
        assert all(span.end_ns for span in opened.spans)
        seen[name] = [
            [s.kind, s.name, s.tags, s.parent.name if s.parent else None, s.place and s.place[0].co_name]
            for s in opened.spans
        ]


def use(cache):
    cache.set(f"a-{SECRET}", SECRET)
    assert cache.get(f"a-{SECRET}") == SECRET
    assert cache.get("nothing") is None
    assert cache.get("nothing", default=SECRET) == SECRET
    assert cache.get("nothing", 5) == 5
    cache.set_many({"b": 1, "c": 2})
    assert cache.get_many(["b", "c", "d"]) == {"b": 1, "c": 2}
    assert cache.get_many(iter(["b"])) == {"b": 1}
    assert cache.incr("b") == 2
    assert cache.decr("b") == 1
    assert "b" in cache
    assert cache.get_or_set("e", lambda: 3) == 3
    assert cache.touch("e", 100)
    assert cache.add("e", 4) is False
    assert cache.delete("e")
    cache.delete_many(["b", "c"])
    cache.clear()


async def use_async(cache):
    await cache.aset("a", 1)
    assert await cache.aget("a") == 1
    assert await cache.aget("nothing") is None


def fails(cache):
    try:
        cache.incr("nothing")
    except ValueError as error:
        seen["error text"] = str(error)
    try:
        cache.set("a", lambda: None)
    except (AttributeError, pickle.PicklingError):
        pass


def facts():
    found = []
    for name in ("get", "set", "get_many", "incr"):
        function = getattr(LocMemCache, name)
        found += [
            str(inspect.signature(function)),
            str(inspect.getfullargspec(function)),
            function.__doc__,
            inspect.isfunction(function),
            copy.copy(function) is function,
            pickle.loads(pickle.dumps(function)) is function,
        ]
    return found


before, vars_before = facts(), dict(vars(LocMemCache))
patching.apply()
assert facts() == before
for alias in settings.CACHES:
    with watch(alias):
        use(caches[alias])
with watch("async"):
    asyncio.run(use_async(caches["default"]))
with watch("error"):
    fails(caches["default"])
caches["default"].set("outside", 1)
seen["states"] = {name: [state, detail] for name, state, detail in patching.states()}
patching.remove()
assert dict(vars(LocMemCache)) == vars_before
tracing.tracer = None
seen["contained"] = [str(key) for key in contained.seen]
print(json.dumps(seen))
