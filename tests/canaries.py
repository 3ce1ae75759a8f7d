"""Every way a secret comes by an application: what its code does with it, in a request or outside of one."""

from __future__ import annotations

import builtins
import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import apm_agent

LOG = logging.getLogger("shop")


class World(NamedTuple):
    """Ports of what the application talks to."""

    upstream: int
    postgresql: int
    mariadb: int
    redis: int
    memcached: int
    mongodb: int


class Way(NamedTuple):
    """`run(canary, world)`. `free`: the application wrote the value into a text, so only its shape gives it away."""

    name: str
    free: bool
    run: Callable[[str, World], Any]


WAYS: list[Way] = []


def way(free: bool = False) -> Callable[[Callable[[str, World], Any]], Callable[[str, World], Any]]:
    def add(run: Callable[[str, World], Any]) -> Callable[[str, World], Any]:
        WAYS.append(Way(run.__name__, free, run))
        return run

    return add


# What the application says itself.


@way()
def context_under_a_secret_key(canary: str, world: World) -> None:
    apm_agent.add_context(password=canary, user={"api_key": canary, "list": [{"token": {"a": canary}}]})
    apm_agent.add_context(body=json.dumps({"user": {"secret": canary}}), cut='{"name": "' + canary)


@way(free=True)
def context_in_a_text(canary: str, world: World) -> None:
    apm_agent.add_context(note=f"saw {canary} there", user={"notes": [canary]}, pair=f"a=1&token={canary}")


@way()
def tags_under_a_secret_key(canary: str, world: World) -> None:
    with apm_agent.span("work", session=canary, nested={"cookie": [canary]}) as span:
        span.tag(authorization=canary, url=f"https://{canary}:{canary}@a.example/x?q={canary}#{canary}")


@way(free=True)
def tags_in_a_text(canary: str, world: World) -> None:
    with apm_agent.span("call", kind="http", url=f"https://a.example/reset/{canary}", note=f"is {canary}"):
        pass


# Exceptions; a local variable holds it too.


@way(free=True)
def exception(canary: str, world: World) -> None:
    error = ValueError(f"no such key: {canary}")
    error.__notes__ = [canary]  # type: ignore[attr-defined]
    raise error


@way()
def exception_that_quotes(canary: str, world: World) -> None:
    raise KeyError(canary)


@way(free=True)
def exception_chained(canary: str, world: World) -> None:
    try:
        raise LookupError(canary)
    except LookupError as error:
        raise RuntimeError(f"failed on {canary}") from error


@way(free=True)
def exception_group(canary: str, world: World) -> None:
    group = getattr(builtins, "ExceptionGroup", None)
    inner = [ValueError(canary), KeyError(canary)]
    raise group(f"many of {canary}", inner) if group else ValueError(canary)


@way(free=True)
def exception_captured(canary: str, world: World) -> None:
    apm_agent.capture_exception(ValueError(f"caught with {canary}"))


# Lines of logs are kept with what fails.


@way(free=True)
def log_arguments(canary: str, world: World) -> None:
    LOG.warning("refused %s", canary, extra={"password": canary, "note": canary})
    LOG.error("failed with %(key)s", {"key": canary})
    raise LookupError("no such price")


@way()
def log_pairs(canary: str, world: World) -> None:
    LOG.warning(
        "login password=%s refused for '%s'", canary, canary, extra={"password": canary, "note": canary}
    )
    raise LookupError("no such price")


@way(free=True)
def structlog(canary: str, world: World) -> None:
    import structlog

    structlog.get_logger().bind(user=canary).info(f"asked for {canary}", card=canary)
    raise LookupError("no such price")


@way(free=True)
def loguru(canary: str, world: World) -> None:
    from loguru import logger

    logger.bind(user=canary).warning("asked for {} {card}", canary, card=canary)
    raise LookupError("no such price")


# Stores of keys and values.


@way()
def cache_redis(canary: str, world: World) -> None:
    import redis
    import valkey

    for library in (redis.Redis, valkey.Valkey):
        client = library(port=world.redis)
        client.set(canary, canary)
        client.get(canary)
        client.execute_command(f"GET {canary}")
        client.pipeline().hset(canary, canary, canary).execute()
        client.close()


@way()
def cache_memcached(canary: str, world: World) -> None:
    from pymemcache.client.base import Client

    client = Client(("127.0.0.1", world.memcached))
    client.set(canary, canary)
    client.get(canary)
    client.close()


@way()
def documents_of_mongodb(canary: str, world: World) -> None:
    import pymongo

    with pymongo.MongoClient("127.0.0.1", world.mongodb, serverSelectionTimeoutMS=5000) as client:
        client.shop.item.insert_one({"name": canary})
        client.shop.item.find_one({"name": canary})
