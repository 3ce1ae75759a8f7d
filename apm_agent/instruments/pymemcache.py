"""pymemcache: a span an exchange with a server, by the three methods all operations of all clients go through."""

from __future__ import annotations

from typing import Any

from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span

#: What a raw command says may be anything, so only these names are kept.
_NAMES = {
    name.encode(): name
    for name in (
        "get", "gets", "gat", "gats", "set", "add", "replace", "append", "prepend", "cas", "delete", "incr", "decr",
        "touch", "flush_all", "stats", "version", "quit", "shutdown", "cache_memlimit",
    )
}  # fmt: skip


def fetch(span: Span, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``_fetch_cmd(name, keys, …)``."""
    _describe(span, client, args[0])


def store(span: Span, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``_store_cmd(name, values, …)``: many values are one span."""
    _describe(span, client, args[0])
    if len(args[1]) > 1:
        span.tag(keys=len(args[1]))


def other(span: Span, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``_misc_cmd(commands, name, …)``."""
    _describe(span, client, args[1])
    if len(args[0]) > 1:
        span.tag(keys=len(args[0]))


def found(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """A dict of what there was."""
    tags = span.tags
    if tags is not None and span.name in {"get", "gets"}:
        tags["hits"] = len(result)
        tags["misses"] = max(0, len(args[1]) - len(result))


def _describe(span: Span, client: Any, command: Any) -> None:
    span.name = _NAMES.get(command, "command")
    server = client.server
    if isinstance(server, tuple):
        span.tags = {"system": "memcached", "host": server[0], "port": server[1]}
    else:
        span.tags = {"system": "memcached"}


PATCHES = (
    Timed("pymemcache.client.base:Client._fetch_cmd", fetch, "cache", True, found, "get", inside=1),
    Timed("pymemcache.client.base:Client._store_cmd", store, "cache", True, None, "set", inside=1),
    Timed("pymemcache.client.base:Client._misc_cmd", other, "cache", True, None, "command", inside=1),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Caches and stores",
    "pymemcache (plain, pooled, hashing, retrying)",
    "patch of the three methods all operations go through",
    "operation without keys and values, server, hits and misses",
    ("pymemcache",),
)
