"""What was measured of one transaction on demand, as the Trace page reads it."""

from __future__ import annotations

from typing import Any

from apm_agent.model.origin import Origin
from apm_agent.model.profile import Frame
from apm_agent.queries.source import Sources
from apm_agent.queries.units import kb, millis

_ALIVE = "what was allocated in it and still alive as it ended; the request and its response are among it"
_SHARED = "other transactions ran meanwhile: what they allocated is counted too"


def captured(document: dict[str, Any]) -> dict[str, Any] | None:
    """What was measured, and for which arm; None when nobody asked."""
    said = document.get("captured")
    return {"capture": said[0], "arm": said[1] or None} if said else None


def memory(
    document: dict[str, Any], sources: Sources, root: str | None, overlap: int
) -> dict[str, Any] | None:
    """Memory by line and by type, and who holds what grew."""
    said = document.get("memory")
    if not said:
        return None
    shown = _Shown(sources, root)
    return {
        "kept_kb": kb(said["kept"]),
        "peak_kb": kb(said["peak"]),
        "lines": [
            {**shown.place(path, line), "kb": kb(size), "blocks": blocks}
            for path, line, size, blocks in said["lines"]
        ],
        "types": [
            {"type": kind, "count": by, "where": shown.place(*place) if place else None}
            for kind, by, place in said["types"]
        ],
        "holders": [
            {"type": kind, "held_by": [{"what": what, "count": count} for what, count in theirs]}
            for kind, told in said["holders"]
            if (theirs := [each for each in told if not _is_ours(each[0])])
        ],
        "objects": said["objects"],
        "took_ms": millis(said["took"]),
        "overlap": overlap,
        "exclusive": not overlap,
        "note": f"{_ALIVE}; {_SHARED}" if overlap else _ALIVE,
    }


def lines(document: dict[str, Any], sources: Sources, root: str | None) -> list[dict[str, Any]]:
    """Exact hits and times by line, among the lines of the function that did not run; most time first."""
    shown = _Shown(sources, root)
    found = []
    for path, function, first, timed in document.get("lines") or ():
        measured = {line: (hits, ns) for line, hits, ns in timed}
        texts = shown.texts(path, sorted(measured))
        found.append(
            {
                **shown.place(path, first),
                "function": function,
                "total_ms": millis(sum(ns for _, ns in measured.values())),
                "lines": [
                    {
                        "number": line,
                        "text": texts.get(line),
                        "hits": measured.get(line, (0, 0))[0],
                        "ms": millis(measured.get(line, (0, 0))[1]),
                    }
                    for line in sorted(measured.keys() | texts.keys())
                ],
            }
        )
    return sorted(found, key=lambda each: -each["total_ms"])


def _is_ours(holder: str) -> bool:
    """What measures holds something of what it measures: that is no leak of the application."""
    return any(word.startswith("apm_agent.") for word in holder.split())


class _Shown:
    """Places for people: short files, whose code it is, and the text of the line where it is still what ran."""

    def __init__(self, sources: Sources, root: str | None) -> None:
        self._sources = sources
        self._origin = Origin(root or "")

    def place(self, path: str, line: int) -> dict[str, Any]:
        frame = Frame("", self._origin.short(path), line, self._origin.of(path), path)
        return {
            "file": frame.file,
            "line": line,
            "category": frame.category,
            **self._sources.told(frame),
        }

    def texts(self, path: str, lines: list[int]) -> dict[int, str]:
        """The function's lines as they stand in its file, by number: those about the lines that were timed."""
        found: dict[int, str] = {}
        for line in lines:
            if line not in found:
                frame = Frame("", self._origin.short(path), line, self._origin.of(path), path)
                found.update(self._sources.block(frame))
        return found
