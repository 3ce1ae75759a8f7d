"""Counts and times every call of one thread, with cProfile's meaning and shape; for interpreters from 3.12.

Python code called at each call and return costs two to three times what cProfile does; it is for single
transactions that were asked for.
"""

from __future__ import annotations

import sys
from time import perf_counter
from types import CodeType, FrameType, ModuleType
from typing import Any

Key = tuple[str, int, str]


class _Entry:
    """A function's counts, and the same by who called it: calls, primitive calls, own, total seconds."""

    __slots__ = ("below", "callers", "calls", "depth", "own", "primitive", "total")

    def __init__(self) -> None:
        self.calls = self.primitive = self.depth = 0
        self.own = self.total = 0.0
        self.callers: dict[Any, list[Any]] = {}
        #: by caller, how many calls of this run just now
        self.below: dict[Any, int] = {}


class Counter:
    """Has of `cProfile.Profile` what is needed here: `enable`, `disable`, `snapshot_stats`, `stats`."""

    __slots__ = ("_entries", "_on", "_stack", "_things", "stats")

    def __init__(self) -> None:
        self._on = False
        #: running calls, outermost first: [key, began, seconds spent in what it called]
        self._stack: list[list[Any]] = []
        self._entries: dict[Any, _Entry] = {}
        #: key → the code object or builtin it stands for; kept, so that ids stay true
        self._things: dict[Any, Any] = {}
        self.stats: dict[Key, tuple[int, int, float, float, dict[Key, Any]]] = {}

    def enable(self) -> None:
        """Measure the calling thread from now on."""
        self._on = True
        sys.setprofile(self._event)

    def disable(self) -> None:
        """Close what still runs, and measure no more; from another thread it takes effect there at the next call."""
        self._on = False
        if sys.getprofile() == self._event:
            sys.setprofile(None)
            now = perf_counter()
            while self._stack:
                self._leave(now)

    def snapshot_stats(self) -> None:
        """Name the functions as `pstats` does, in `stats`; from any thread, once `disable` was called."""
        names = {key: _name(thing) for key, thing in self._things.items()}
        for key, entry in self._entries.items():
            callers = {names[caller]: tuple(part) for caller, part in entry.callers.items()}
            self.stats[names[key]] = (entry.primitive, entry.calls, entry.own, entry.total, callers)

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        now = perf_counter()
        if not self._on:
            sys.setprofile(None)
        elif event == "call":
            code = frame.f_code
            self._enter(id(code), code, now)
        elif event == "c_call":
            owner = getattr(argument, "__self__", None)
            if owner is None or owner.__class__ is ModuleType:
                self._enter(id(argument), argument, now)
            else:  # a method bound anew at each call: one function all the same; nothing of its object is kept
                kind = owner if isinstance(owner, type) else owner.__class__
                self._enter((kind, argument.__name__), getattr(kind, argument.__name__, None), now)
        elif self._stack:  # else it returns from what was called before we came
            self._leave(now)

    def _enter(self, key: Any, thing: Any, now: float) -> None:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
            self._things[key] = thing
        entry.depth += 1
        caller = self._stack[-1][0] if self._stack else None
        if caller is not None and caller not in entry.callers:
            entry.callers[caller] = [0, 0, 0.0, 0.0]
            entry.below[caller] = 0
        if caller is not None:
            entry.below[caller] += 1
        self._stack.append([key, now, 0.0])

    def _leave(self, now: float) -> None:
        key, began, inside = self._stack.pop()
        entry = self._entries[key]
        total = now - began
        own = total - inside
        entry.depth -= 1
        entry.calls += 1
        entry.own += own
        if not entry.depth:  # a recursion is counted whole, once, by its outermost call
            entry.primitive += 1
            entry.total += total
        if not self._stack:
            return
        above = self._stack[-1]
        above[2] += total
        part = entry.callers[above[0]]
        entry.below[above[0]] -= 1
        part[0] += 1
        part[2] += own
        if not entry.below[above[0]]:
            part[1] += 1
            part[3] += total


def _name(thing: Any) -> Key:
    if isinstance(thing, CodeType):
        return thing.co_filename, thing.co_firstlineno, thing.co_name
    owner = getattr(thing, "__self__", None)
    if isinstance(owner, ModuleType):
        return "~", 0, f"<built-in method {owner.__name__}.{thing.__name__}>"
    return "~", 0, repr(thing)
