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
    fix: Callable[[Evidence], str]
    flag: str | None = None


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
    return _placed(f"{found.count} identical queries", found, "from")


def _slow_query(found: Evidence) -> str:
    what = summary(found.statement) if found.statement else "a query"
    return _placed(f"{what} takes {duration(found.cost_ns / max(1, found.count))}", found, "at")


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


def _template(found: Evidence) -> str:
    return _placed(f"template {_named(found.text, 'rendering')} takes {duration(found.cost_ns)}", found, "at")


def _blocked(found: Evidence) -> str:
    _, comma, victims = found.text.partition(", ")
    return _placed(f"blocks the event loop {duration(found.cost_ns)}", found, "at") + comma + victims


def _blocked_by(found: Evidence) -> str:
    return _placed(found.text or f"waits {duration(found.cost_ns)} for the event loop", found, "at")


def _gc(found: Evidence) -> str:
    return _placed(f"garbage collection takes {duration(found.cost_ns)} a call", found, "at")


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


def _fix_repeated(found: Evidence) -> str:
    return (
        "Usually one query for all of them does: select_related() or prefetch_related() in Django, "
        "joinedload() or "
        "selectinload() in SQLAlchemy, otherwise a JOIN or an IN (…) list before the loop."
    )


def _fix_slow_query(found: Evidence) -> str:
    return (
        "Look at its plan with EXPLAIN: a missing index on the columns in WHERE or ORDER BY is the usual "
        "cause; "
        "also check that it fetches only the rows and columns the page needs."
    )


def _fix_hot(found: Evidence) -> str:
    return (
        "Look at what this line repeats: a result that could be kept between calls, a list searched where "
        "a set or "
        "dict would do, work that could move out of the loop or out of the request."
    )


def _fix_upstream(found: Evidence) -> str:
    return (
        "If the answer may be some seconds old, cache it; independent calls can run at the same time; in "
        "any case "
        "set a timeout, and reuse one client so that connections stay open."
    )


def _fix_in_a_row(found: Evidence) -> str:
    return (
        "If none of them needs the answer of another, which only the code tells, start them together: "
        "asyncio.gather() or a TaskGroup, in threads ThreadPoolExecutor.map()."
    )


def _fix_template(found: Evidence) -> str:
    return (
        "Often the template calls code or queries in a loop: fetch those in the view, or cache the "
        "fragment; large "
        "lists are better paged."
    )


def _fix_blocked(found: Evidence) -> str:
    return (
        "Every other request on this loop waits meanwhile. Run the call in a thread (await "
        "asyncio.to_thread(…)), "
        "use the async version of the library, or make the view a plain def."
    )


def _fix_blocked_by(found: Evidence) -> str:
    return (
        "This one was ready to go on, and could not: look at the line that held the loop, not at this one. "
        "A call that blocks belongs in a thread (await asyncio.to_thread(…)); long computing in a process."
    )


def _fix_gc(found: Evidence) -> str:
    return (
        "Many objects are made and kept here. gc.freeze() after start-up and a higher gc.set_threshold() "
        "usually "
        "help; building fewer temporary objects always does."
    )


def _fix_memory(found: Evidence) -> str:
    return (
        "Something outlives the call: a list or dict at module level that only grows, or a cache without "
        "a bound "
        "(functools.lru_cache(maxsize=None)). A first few calls may only be warming up."
    )


WORDS = {
    "repeated_query": Words("N+1 queries", _repeated, _fix_repeated, "n+1"),
    "slow_query": Words("Slow query", _slow_query, _fix_slow_query),
    "hot_line": Words("Hot line", _hot, _fix_hot),
    "sequential_calls": Words("Calls one after another", _in_a_row, _fix_in_a_row),
    "slow_upstream": Words("Slow upstream call", _upstream, _fix_upstream),
    "slow_template": Words("Slow template", _template, _fix_template),
    "blocked_loop": Words("Blocked event loop", _blocked, _fix_blocked, "blocked"),
    "blocked_by": Words("Blocked by another request", _blocked_by, _fix_blocked_by),
    "gc_pause": Words("Garbage collection", _gc, _fix_gc),
    "memory_growth": Words("Memory growth", _memory, _fix_memory, "memory"),
    "error_burst": Words("Error burst", _as_found, lambda _: advice.ERROR_BURST, "errors"),
    "two_speeds": Words("Two speeds", _as_found, lambda _: advice.TWO_SPEEDS),
    "regression": Words("Slower since a release", _as_found, lambda _: advice.REGRESSION),
}
