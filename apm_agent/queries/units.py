"""From what the store keeps (integer nanoseconds, bytes, signed ids) to what the pages read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from apm_agent.errors import QuestionError
from apm_agent.model.record import TIME_KINDS

_HEX = re.compile(r"[0-9a-f]{1,16}\Z")


def ms(ns: float | None) -> float | None:
    """Milliseconds, to the microsecond."""
    return None if ns is None else round(ns / 1e6, 3)


def millis(ns: float) -> float:
    """Milliseconds of a figure that is always known."""
    return round(ns / 1e6, 3)


def kb(size: float | None) -> float | None:
    """KiB, to a tenth."""
    return None if size is None else round(size / 1024, 1)


def unix(ns: int | None) -> float | None:
    """Unix seconds."""
    return None if ns is None else ns / 1e9


def mean(total: float, count: int) -> float | None:
    """None where there is nothing to divide by."""
    return total / count if count else None


def hex_id(number: int) -> str:
    """A transaction's id as pages write it: 16 hex digits of the 64 bits."""
    return format(number & 0xFFFF_FFFF_FFFF_FFFF, "016x")


def parse_id(text: str) -> int:
    """The signed number the store keeps for a transaction's id."""
    if not _HEX.match(text):
        raise QuestionError(f"id={text[:40]!r} is not a transaction's id: up to 16 hex digits")
    number = int(text, 16)
    return number - (1 << 64) if number >= 1 << 63 else number


def kinds(duration: int, spans: Sequence[int], queue: int | None) -> dict[str, float]:
    """Milliseconds by kind, from sums of db, http, template, cache, wait and gc; python is the rest.

    Spans that ran at the same time may claim more than the duration: python is then 0, never less.
    """
    db, http, template, cache, wait, gc = spans
    python = max(0, duration - db - http - template - cache - wait - gc)
    values = (python, db, http, template, cache, wait, queue or 0, gc)
    return {kind: millis(value) for kind, value in zip(TIME_KINDS, values, strict=True)}


def place(where: dict[str, Any] | None) -> str | None:
    """``file:line`` of a place, as phrases and tables write it."""
    return f"{where['file']}:{where['line']}" if where else None
