"""Whether a detail that is whole JSON has the shape its writer gives it (`apm_agent/store/detail.py` draws it).

Asked only after reading one failed: to look at each of 10,000 spans first would cost every page what one may need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Sound = Callable[[Any], bool]


def _whole(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _maybe(sound: Sound) -> Sound:
    return lambda value: value is None or sound(value)


def _row(*columns: Sound) -> Sound:
    def sound(value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(value) == len(columns)
            and all(one(each) for one, each in zip(columns, value, strict=True))
        )

    return sound


def _each(row: Sound) -> Sound:
    return lambda value: isinstance(value, list) and all(map(row, value))


def _with(**parts: Sound) -> Sound:
    return lambda value: (
        isinstance(value, dict) and all(one(value[name]) for name, one in parts.items() if name in value)
    )


_some = _maybe(_whole)
_PLACES = _each(_row(_text, _whole, _whole, _whole))
_PARTS: dict[str, Sound] = {
    "spans": _each(
        _row(_some, _text, _text, _whole, _whole, _whole, _some, _some, _maybe(_mapping), _whole)
    ),
    "lost": _each(_row(_text, _text, _whole, _whole)),
    "samples": _each(_row(_whole, _whole, _whole, lambda state: state in (0, 1, 2))),
    "weights": _each(_row(_whole, lambda state: state in (0, 1, 2), _whole)),
    "lost_samples": _whole,
    "gc": _each(_row(_whole, _whole, _whole)),
    "rss": _each(_row(_whole, _whole)),
    "context": _mapping,
    "failure": _with(type=_text, message=_text, frame_id=_some, stack=_each(_some)),
    "insights": _each(
        _with(kind=_text, text=_maybe(_text), count=_some, cost_ns=_some, cost_bytes=_some, frame_id=_some,
              statement_id=_some)
    ),
    "callgraph": _with(
        functions=_each(_row(_text, _whole, _text, *[_whole] * 4)), callers=_each(_row(*[_whole] * 6))
    ),
    "captured": _each(_text),
    "lines": _each(_row(_text, _text, _whole, _each(_row(_whole, _whole, _whole)))),
    "blocked": _each(_row(_text, _some, _some, _whole, _whole)),
    "blocking": _row(_whole, _whole, _whole),
    "cpu": _each(_some),
    "weights_cpu": _each(_row(_whole, _whole)),
    "log": _each(_row(_whole, _text, _text, _text)),
    "memory": _with(
        kept=_whole, peak=_some, lines=_PLACES, types=_each(_row(_text, _whole, _maybe(_row(_text, _whole)))),
        holders=_each(_row(_text, _each(_row(_text, _whole)))), objects=_whole, took=_whole,
    ),
}  # fmt: skip


def unsound(document: dict[str, Any]) -> str:
    """The part of a detail that no writer of ours wrote so; empty where all are sound."""
    for name, sound in _PARTS.items():
        part = document.get(name)
        if part is not None and not sound(part):
            return name
    return ""
