"""The Firefox Profiler's processed profile (profiler.firefox.com), version 57, which every newer reader upgrades."""

from __future__ import annotations

import json
from typing import Any

from apm_agent.exporters.naming import NO_FRAMES
from apm_agent.model.profile import Frame, Profile

_VERSION = 57
_GECKO = 30
_CATEGORIES = (
    ("app", "your code", "blue"),
    ("lib", "libraries", "green"),
    ("std", "standard library", "grey"),
)
_NUMBER = {name: number for number, (name, _, _) in enumerate(_CATEGORIES)}
_NOTHING = Frame(NO_FRAMES, "", 0, "lib")


def export(profile: Profile) -> bytes:
    """One thread; each distinct stack is a sample that weighs all its time, laid end to end."""
    tables = _Tables()
    stacks = [tables.stack(stack or (_NOTHING,)) for stack in profile]
    weights = list(profile.values())
    starts, at = [], 0
    for ns in weights:
        starts.append(at / 1e6)
        at += ns
    samples = {
        "stack": stacks,
        "time": starts,
        "weight": [ns / 1e6 for ns in weights],
        "weightType": "tracing-ms",
        "length": len(stacks),
    }
    thread = _thread(tables, samples)  # first, because it fills the table of strings
    document = {
        "meta": _meta(at / 1e6),
        "libs": [],
        "pages": [],
        "counters": [],
        "shared": {"stringArray": list(tables.strings)},
        "threads": [thread],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _meta(length: float) -> dict[str, Any]:
    return {
        "interval": 1,
        "startTime": 0,
        "profilingStartTime": 0,
        "profilingEndTime": length,
        "processType": 0,
        "product": "apm-agent",
        "importedFrom": "apm-agent",
        "stackwalk": 0,
        "version": _GECKO,
        "preprocessedProfileVersion": _VERSION,
        "symbolicationNotSupported": True,
        "usesOnlyOneStackType": True,
        "sourceCodeIsNotOnSearchfox": True,
        "categories": [
            {"name": name, "color": colour, "subcategories": ["Other"]} for _, name, colour in _CATEGORIES
        ],
        "markerSchema": [],
    }


def _thread(tables: _Tables, samples: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "all samples",
        "isMainThread": True,
        "processType": "default",
        "processName": "apm-agent",
        "processStartupTime": 0,
        "processShutdownTime": None,
        "registerTime": 0,
        "unregisterTime": None,
        "pausedRanges": [],
        "pid": "0",
        "tid": 0,
        "samples": samples,
        "markers": _table(("data", "name", "startTime", "endTime", "phase", "category"), []),
        **tables.written(),
    }


class _Tables:
    """Strings, functions, frames and stacks, each once and known by its number."""

    def __init__(self) -> None:
        self.strings: dict[str, int] = {}
        self._functions: dict[tuple[str, str], int] = {}
        self._frames: dict[Frame, int] = {}
        self._stacks: dict[tuple[int | None, int], int] = {}

    def stack(self, frames: tuple[Frame, ...]) -> int:
        """The number of a stack, outermost frame first; what it begins with are stacks too."""
        prefix: int | None = None
        for frame in frames:
            number = self._frames.setdefault(frame, len(self._frames))
            prefix = self._stacks.setdefault((prefix, number), len(self._stacks))
        assert prefix is not None
        return prefix

    def written(self) -> dict[str, Any]:
        """The tables in columns."""
        # Frames first: they number the functions, and those the strings.
        frames = [
            (
                -1,
                0,
                _NUMBER.get(frame.category, 1),
                0,
                self._function(frame),
                None,
                None,
                frame.line or None,
                None,
            )
            for frame in self._frames
        ]
        functions = [
            (self._string(name or "?"), False, False, -1, self._string(file) if file else None, None, None)
            for name, file in self._functions
        ]
        stacks = [(frame, prefix) for prefix, frame in self._stacks]
        return {
            "stackTable": _table(("frame", "prefix"), stacks),
            "frameTable": _table(
                ("address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol",
                 "innerWindowID", "line", "column"),
                frames,
            ),
            "funcTable": _table(
                ("name", "isJS", "relevantForJS", "resource", "fileName", "lineNumber", "columnNumber"),
                functions,
            ),
            "resourceTable": _table(("lib", "name", "host", "type"), []),
            "nativeSymbols": _table(("libIndex", "address", "name", "functionSize"), []),
        }  # fmt: skip

    def _string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def _function(self, frame: Frame) -> int:
        return self._functions.setdefault((frame.function, frame.file), len(self._functions))


def _table(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    columns: dict[str, Any] = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    return columns | {"length": len(rows)}
