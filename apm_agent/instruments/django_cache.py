"""Django's caches: a span an operation, hit or miss, for the backends Django brings and django-redis.

There is no hook. What a backend does inside is part of the operation, but the queries of the database cache
are queries. An async operation is its sync one in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Finish, Returning, Row, Timed
from apm_agent.instruments.support import Support
from apm_agent.instruments.wrapping import within
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_watching = contained("watching Django's cache")


def get(wrapped: Callable[..., Any], cache: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``get(key, default=None)``."""
    span = tracing.open_span("cache", "get", True)
    if span is None:
        return wrapped(*args, **kwargs)
    return within(span, _get, wrapped, cache, args, kwargs)


def _get(
    span: Span, wrapped: Callable[..., Any], cache: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    result = wrapped(*args, **kwargs)
    with _watching:
        # A miss gives the caller's own default; a None that was kept cannot be told from one.
        missed = result is (args[1] if len(args) > 1 else kwargs.get("default"))
        span.tags = _tags(cache)
        span.tag(hits=int(not missed), misses=int(missed))
    return result


def operation(span: Span, cache: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Any other operation; keys and values stay out."""
    span.tags = _tags(cache)


def got_many(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """``get_many(keys)`` gives those there are; keys that can be read only once are not counted."""
    if args and hasattr(args[0], "__len__"):
        span.tag(hits=len(result), misses=max(0, len(args[0]) - len(result)))


def had(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """``has_key(key)``."""
    span.tag(hits=int(bool(result)), misses=int(not result))


def _tags(cache: Any) -> dict[str, Any]:
    return {"system": "django", "backend": type(cache).__name__}


_FINISHES: dict[str, Finish] = {"get_many": got_many, "has_key": had}
_BACKENDS = "django.core.cache.backends."
#: class → what it does in its own way
_OPERATIONS = {
    # Each of these is made of several of the others.
    f"{_BACKENDS}base:BaseCache": "has_key get_many set_many delete_many incr",
    f"{_BACKENDS}locmem:LocMemCache": "get add set touch incr has_key delete clear",
    f"{_BACKENDS}filebased:FileBasedCache": "get add set touch has_key delete clear",
    # Its get is a get_many of one.
    f"{_BACKENDS}db:DatabaseCache": "get_many add set touch has_key delete delete_many clear",
    f"{_BACKENDS}memcached:BaseMemcachedCache": "get get_many add set set_many touch incr delete delete_many clear",
    f"{_BACKENDS}redis:RedisCache": "get get_many add set set_many touch incr has_key delete delete_many clear",
    "django_redis.cache:RedisCache": "get get_many add set set_many touch incr has_key delete delete_many clear",
}


def _row(place: str, name: str) -> Row:
    leaf = not place.endswith(":DatabaseCache")
    target = f"{place}.{name}"
    if name == "get":
        return Returning(target, get)
    return Timed(target, operation, "cache", leaf, _FINISHES.get(name), name)


PATCHES = tuple(_row(place, name) for place, names in _OPERATIONS.items() for name in names.split())

#: For docs/supported.md.
SUPPORT = Support(
    "Caches and stores",
    "Django's caches (memory, files, database, redis, memcached; django-redis)",
    "patch of each backend's operations",
    "operation and backend, hits and misses of `get`, `get_many`, `has_key`; the database cache's queries "
    "as queries. A `None` kept on purpose counts as a miss; backends of your own are seen where they call "
    "Django's",
    ("Django", "django-redis"),
)
