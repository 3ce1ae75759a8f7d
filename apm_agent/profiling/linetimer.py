"""The `line_profiler` library as we use it: loaded so that it watches one thread, read as differences.

From Python 3.12 the library by itself watches the whole interpreter: hits of other threads would be this one's, and
every thread would pay. Its older way, `sys.settrace`'s, is by thread on every version and is chosen as it is loaded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from types import CodeType, FunctionType
from typing import Any

from apm_agent.errors import ConfigError

#: (file, function, first line) → line → [hits, ns]
Timings = dict[tuple[str, str, int], dict[int, list[int]]]

CURE = "line timings need the library line_profiler. Run: pip install 'apm-agent[lines]'"
_PER_THREAD = "LINE_PROFILER_CORE"
_MOST_FUNCTIONS, _MOST_LINES = 50, 1_000


def installed() -> bool:
    """Whether the library is there, without loading it."""
    return find_spec("line_profiler") is not None


def load() -> Any:
    """The library's profiler class; raises `ConfigError` with the cure when it cannot be used."""
    before = os.environ.get(_PER_THREAD)
    os.environ[_PER_THREAD] = "legacy"
    try:
        from line_profiler._line_profiler import LineProfiler
    except ImportError:
        raise ConfigError(CURE) from None
    finally:
        if before is None:
            os.environ.pop(_PER_THREAD, None)
        else:
            os.environ[_PER_THREAD] = before
    diagnostics = sys.modules.get("line_profiler._diagnostics")
    if sys.version_info >= (3, 12) and not getattr(diagnostics, "USE_LEGACY_TRACE", False):
        raise ConfigError(
            "line_profiler was loaded before apm-agent in the way that watches all threads. "
            f"Set {_PER_THREAD}=legacy in the environment"
        )
    return LineProfiler


class Timer:
    """Times lines of some functions on the thread it is turned on for; `taken` is what came since it was asked last."""

    def __init__(self) -> None:
        self._profiler = load()()
        self._codes: set[CodeType] = set()
        self._before: Timings = {}

    def add(self, function: FunctionType) -> CodeType:
        """Time a function; answers the code it must run with, which is its own made unmistakable.

        The library knows functions by their bytecode and so appends some that never runs.
        """
        twin = FunctionType(function.__code__, {}, function.__name__, None, function.__closure__)
        self._profiler.add_function(twin)
        self._codes.add(twin.__code__)
        return twin.__code__

    def knows(self, code: CodeType) -> bool:
        """Whether a function that runs with `code` is timed."""
        return code in self._codes

    def on(self) -> str:
        """Time the calling thread from now on; else why it cannot be."""
        if sys.gettrace() is not None:
            return "a debugger, a coverage tool or another line profiler traces its thread"
        self._profiler.enable()
        return ""

    def off(self) -> None:
        """Time it no more; on the same thread."""
        self._profiler.disable()

    def taken(self) -> Timings:
        """Hits and ns since the last call, of lines that were reached."""
        stats = self._profiler.get_stats()
        scale = stats.unit * 1e9
        now: Timings = {
            (path, name, first): {line: [hits, round(time * scale)] for line, hits, time in entries}
            for (path, first, name), entries in stats.timings.items()
        }
        before, self._before = self._before, now
        new: Timings = {}
        for key, lines in now.items():
            old = before.get(key, {})
            came = {
                line: [hits - old[line][0], ns - old[line][1]] if line in old else [hits, ns]
                for line, (hits, ns) in lines.items()
                if line not in old or hits != old[line][0]
            }
            if came:
                new[key] = came
        return new


def add(timings: Timings, more: Timings) -> None:
    """Add hits and times, within bounds."""
    for key, lines in more.items():
        if key not in timings and len(timings) >= _MOST_FUNCTIONS:
            continue
        into = timings.setdefault(key, {})
        for line, (hits, ns) in lines.items():
            if line in into:
                into[line][0] += hits
                into[line][1] += ns
            elif len(into) < _MOST_LINES:
                into[line] = [hits, ns]


def functions_of(codes: Iterable[CodeType], objects: list[Any]) -> dict[CodeType, list[FunctionType]]:
    """All function objects that run with one of some codes: a decorated or nested function may be several."""
    wanted = {id(code): code for code in codes}
    found: dict[CodeType, list[FunctionType]] = {}
    for each in objects:
        if type(each) is FunctionType and id(each.__code__) in wanted:
            found.setdefault(each.__code__, []).append(each)
    return found
