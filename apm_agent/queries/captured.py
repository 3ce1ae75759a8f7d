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
            {"type": kind, "held_by": [{"what": what, "count": count} for what, count in told]}
            for kind, told in said["holders"]
        ],
        "objects": said["objects"],
        "took_ms": millis(said["took"]),
        "overlap": overlap,
        "exclusive": not overlap,
        "note": f"{_ALIVE}; {_SHARED}" if overlap else _ALIVE,
    }


def lines(document: dict[str, Any], sources: Sources, root: str | None) -> list[dict[str, Any]]:
    """Exact hits and times by line, the functions that took most time first."""
    shown = _Shown(sources, root)
    found = [
        {
            **shown.place(path, first),
            "function": function,
            "total_ms": millis(sum(ns for _, _, ns in timed)),
            "lines": [
                {"number": line, "text": shown.place(path, line)["source"], "hits": hits, "ms": millis(ns)}
                for line, hits, ns in timed
            ],
        }
        for path, function, first, timed in document.get("lines") or ()
    ]
    return sorted(found, key=lambda each: -each["total_ms"])


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
