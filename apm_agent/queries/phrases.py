"""The words for what was found: titles, reasons, advice and how bad it is, one row a kind of insight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from apm_agent.model.profile import Frame
from apm_agent.model.statement import summary
from apm_agent.queries import advice


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one insight rests on, of one transaction or summed over several."""

    kind: str
    text: str
    count: int
    """how often, in a typical transaction"""
    cost_ns: float
    """in a typical transaction"""
    cost_bytes: float
    share: float
    """of the endpoint's (or the transaction's) time"""
    where: Frame | None
    statement: str | None


class Words(NamedTuple):
    """How one kind of insight is told."""

    title: str
    why: Callable[[Evidence], str]
    fix: Callable[[Evidence], str | None]
    flag: str | None = None


#: A statement with at least this share of its endpoint's time, or of its transaction's, is its bottleneck.
_BOTTLENECK = 0.5


def why(found: Evidence) -> str:
    """One plain phrase with its source line."""
    words = WORDS.get(found.kind)
    return words.why(found) if words else _placed(found.text or found.kind.replace("_", " "), found, "at")


def title(kind: str) -> str:
    """What people call this kind of insight."""
    return WORDS[kind].title if kind in WORDS else kind.replace("_", " ").capitalize()


def fix(found: Evidence) -> str | None:
    """What usually helps; never said as certain, because the code was not read."""
    return WORDS[found.kind].fix(found) if found.kind in WORDS else None


def flag(kind: str) -> str | None:
    """The mark in the endpoint's row."""
    return WORDS[kind].flag if kind in WORDS else None


def severity(found: Evidence) -> str:
    """bad, warn or info, by the share of the time it takes (or the memory it keeps)."""
    if found.share >= 0.3 or found.cost_bytes >= 2**20:
        return "bad"
    return (
        "warn" if found.share >= 0.1 or found.cost_bytes >= 2**16 or found.kind == "blocked_loop" else "info"
    )


def duration(ns: float) -> str:
    """``310 ms``, ``4.2 s``, ``0.6 ms``: two digits that matter."""
    value = ns / 1e6
    if value >= 10_000:
        return f"{value / 1000:.0f} s"
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 9.95 else f"{value:.1f} ms"


def size(count: float) -> str:
    """``1.2 MB``, ``640 KB``: as people say sizes."""
    return f"{count / 2**20:.1f} MB" if abs(count) >= 2**20 else f"{count / 1024:.0f} KB"


def percent(share: float) -> str:
    """``88 %``."""
    return f"{share * 100:.0f} %"


def line_of(where: Frame | None) -> str:
    """``shop.py:7``, or nothing."""
    return f"{where.file}:{where.line}" if where else ""


def _placed(phrase: str, found: Evidence, word: str) -> str:
    place = line_of(found.where)
    return f"{phrase} {word} {place}" if place and place not in phrase else phrase


def _repeated(found: Evidence) -> str:
    saved = next((part for part in found.text.split(", ") if part.startswith("up to ")), "")
    told = _placed(f"{found.count} identical queries", found, "from")
    return f"{told}, {saved}" if saved else told


def _fix_repeated(found: Evidence) -> str | None:
    return advice.REPEATED_QUERY.get(found.text.split(", ")[-1])


def _slow_query(found: Evidence) -> str:
    what = summary(found.statement) if found.statement else "a query"
    together = found.text.partition(",")[0].endswith(" runs")  # each of them was short
    each = duration(found.cost_ns / max(1, found.count))
    takes = f"{duration(found.cost_ns)} in {found.count} runs" if together and found.count > 1 else each
    told = _placed(f"{what} takes {takes}", found, "at")
    return f"{told}, {percent(found.share)} of the time" if found.share >= _BOTTLENECK else told


def _hot(found: Evidence) -> str:
    if found.text:
        # The share in the call it cost most. Its cost over all calls would be a share of calls too short to be
        # sampled, or sampled too rarely to tell, and so too small.
        return f"{found.text} {line_of(found.where)}".rstrip()
    function = (
        f"in {found.where.function}()"
        if found.where and found.where.function.isidentifier()
        else "in one line"
    )
    return f"{percent(found.share)} of the time {function} {line_of(found.where)}".rstrip()


def _upstream(found: Evidence) -> str:
    return _placed(
        f"waits {duration(found.cost_ns)} for {_named(found.text, 'another service')}", found, "at"
    )


def _in_a_row(found: Evidence) -> str:
    calls = f"{found.count} calls one after another could overlap"
    return f"{_placed(calls, found, 'from')}, up to {duration(found.cost_ns)} less"


def _connection(found: Evidence) -> str:
    _, comma, vain = found.text.partition(", ")
    return (
        _placed(f"waits {duration(found.cost_ns)} for a connection from the pool", found, "at") + comma + vain
    )


def _misses(found: Evidence) -> str:
    return _placed(f"{found.count} reads miss the cache", found, "at")


def _many_rows(found: Evidence) -> str:
    return _placed(found.text or "a query returns very many rows", found, "at")


def _template(found: Evidence) -> str:
    return _placed(f"template {_named(found.text, 'rendering')} takes {duration(found.cost_ns)}", found, "at")


def _blocked(found: Evidence) -> str:
    _, comma, victims = found.text.partition(", ")
    return _placed(f"blocks the event loop {duration(found.cost_ns)}", found, "at") + comma + victims


def _blocked_by(found: Evidence) -> str:
    return _placed(found.text or f"waits {duration(found.cost_ns)} for the event loop", found, "at")


def _gc(found: Evidence) -> str:
    return _placed(f"garbage collection takes {duration(found.cost_ns)}", found, "at")


def _memory(found: Evidence) -> str:
    return _placed(f"keeps {size(found.cost_bytes)} a call", found, "at")


def _as_found(found: Evidence) -> str:
    return _placed(found.text, found, "at")


def _named(text: str, otherwise: str) -> str:
    """The host or template an insight's text names: its only word with a dot or a slash in it."""
    for word in text.split():
        if ("." in word.strip(".,") or "/" in word) and not word[0].isdigit():
            return word.strip(",;:()'\"")
    return otherwise


WORDS = {
    "repeated_query": Words("N+1 queries", _repeated, _fix_repeated, "n+1"),
    "slow_query": Words("Slow query", _slow_query, lambda _: advice.SLOW_QUERY),
    "big_result": Words("Big result", _many_rows, lambda _: advice.BIG_RESULT),
    "connection_wait": Words("Connection wait", _connection, lambda _: advice.CONNECTION_WAIT),
    "cache_misses": Words("Cache misses", _misses, lambda _: advice.CACHE_MISSES),
    "hot_line": Words("Hot line", _hot, lambda _: advice.HOT_LINE),
    "sequential_calls": Words("Calls one after another", _in_a_row, lambda _: advice.SEQUENTIAL_CALLS),
    "slow_upstream": Words("Slow upstream call", _upstream, lambda _: advice.SLOW_UPSTREAM),
    "slow_template": Words("Slow template", _template, lambda _: advice.SLOW_TEMPLATE),
    "blocked_loop": Words("Blocked event loop", _blocked, lambda _: advice.BLOCKED_LOOP, "blocked"),
    "blocked_by": Words("Blocked by another request", _blocked_by, lambda _: advice.BLOCKED_BY),
    "gc_pause": Words("Garbage collection", _gc, lambda _: advice.GC_PAUSE),
    "memory_growth": Words("Memory growth", _memory, lambda _: advice.MEMORY_GROWTH, "memory"),
    "error_burst": Words("Error burst", _as_found, lambda _: advice.ERROR_BURST, "errors"),
    "two_speeds": Words("Two speeds", _as_found, lambda _: advice.TWO_SPEEDS),
    "regression": Words("Slower since a release", _as_found, lambda _: advice.REGRESSION),
}
