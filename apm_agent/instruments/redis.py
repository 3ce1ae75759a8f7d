"""redis: a span a command and one a pipeline, sync, async and cluster; pubsub is left alone.

Of a command its name is kept, of keys and values nothing.
"""

from __future__ import annotations

from typing import Any

from apm_agent.instruments.rows import Describe, Row, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span

#: Commands whose second word says what they do; of all others that word is a key or a secret.
_TWO_WORDS = frozenset(
    (
        "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY", "MODULE", "OBJECT",
        "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO",
    )
)  # fmt: skip
_LONGEST = 32
_MOST = 1000
#: a command as it is given → as it is shown
_names: dict[Any, str] = {}
_ONE_VALUE = frozenset(("GET", "HGET", "GETEX", "GETDEL"))
_VALUES = frozenset(("MGET", "HMGET"))


def _command(system: str) -> Describe:
    def command(span: Span, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = args[0] if args else ""
        span.name = _names.get(given) or _name(given)
        address = client.connection_pool.connection_kwargs
        span.tags = {"system": system, "host": address.get("host"), "port": address.get("port")}

    return command


def _cluster_command(system: str) -> Describe:
    def command(span: Span, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = args[0] if args else ""
        span.name = _names.get(given) or _name(given)
        span.tags = {"system": system}  # the key decides the host

    return command


def _pipeline(system: str) -> Describe:
    def pipeline(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        span.tags = {"system": system, "commands": len(instance)}

    return pipeline


def found(span: Span, result: Any, args: tuple[Any, ...]) -> None:
    """Whether what was asked for was there."""
    name = span.name
    if name in _ONE_VALUE:
        missed, asked = int(result is None), 1
    elif name in _VALUES and isinstance(result, list):
        missed, asked = result.count(None), len(result)
    else:
        return
    tags = span.tags
    if tags is not None:
        tags["hits"] = asked - missed
        tags["misses"] = missed


def _name(given: Any) -> str:
    text = given.decode("ascii", "replace") if isinstance(given, bytes) else str(given)
    # Clients send "GET key" given as one text as two words, so no more than the command may be kept.
    words = text[: 3 * _LONGEST].upper().split()[:2]
    if not words or not _is_word(words[0]):
        name = "command"
    elif len(words) > 1 and words[0] in _TWO_WORDS and _is_word(words[1]):
        name = f"{words[0]} {words[1]}"
    else:
        name = words[0]
    if len(_names) < _MOST and len(text) <= 2 * _LONGEST:
        _names[given] = name
    return name


def _is_word(word: str) -> bool:
    return len(word) <= _LONGEST and word.isascii() and word.translate(_JOINTS).isalpha()


_JOINTS = str.maketrans("", "", "._-")


def rows(library: str, client: str) -> tuple[Row, ...]:
    """The same of redis and of what was copied from it."""
    command, cluster_command, pipeline = _command(library), _cluster_command(library), _pipeline(library)
    made: list[Row] = []
    for place in (library, f"{library}.asyncio"):
        made += (
            Timed(f"{place}.client:{client}.execute_command", command, "cache", True, found),
            Timed(f"{place}.client:Pipeline.immediate_execute_command", command, "cache", True, found),
            Timed(f"{place}.client:Pipeline.execute", pipeline, "cache", True, None, "pipeline"),
            Timed(f"{place}.cluster:{client}Cluster.execute_command", cluster_command, "cache", True, found),
            Timed(f"{place}.cluster:ClusterPipeline.execute", pipeline, "cache", True, None, "pipeline"),
        )
    return tuple(made)


PATCHES = rows("redis", "Redis")

#: For docs/supported.md.
SUPPORT = Support(
    "Caches and stores",
    "redis (sync, async, cluster)",
    "patch of `execute_command` and of a pipeline's `execute`",
    "command without keys and values, host and port, hits and misses of reads; a pipeline as one span "
    "with how many commands; pubsub is left alone",
    ("redis",),
)
