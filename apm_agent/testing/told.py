"""Writes what a failed assertion found: the endpoint, its statements, and the own line each came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from apm_agent.model.profile import Frame
from apm_agent.model.record import Record

_MOST, _LONGEST = 10, 160


class Ran(NamedTuple):
    """A statement, the own line that ran it, and how often."""

    statement: str
    where: Frame | None
    times: int


def ran(record: Record) -> list[Ran]:
    """What a transaction ran, by statement and line; the most repeated first."""
    found: dict[tuple[str, str, int], Ran] = {}
    for span in record.spans:
        if span.statement is not None:
            where = span.where
            key = (span.statement, where.file if where else "", where.line if where else 0)
            before = found.get(key)
            found[key] = Ran(span.statement, where, before.times + 1 if before else 1)
    return sorted(found.values(), key=lambda each: -each.times)


def statements(many: Iterable[Ran]) -> list[str]:
    """A line each: ``  50× SELECT … FROM customer WHERE id = ?  at shop.py:7 in orders()``."""
    every = list(many)
    lines = [f"  {each.times:>4}× {_short(each.statement)}  {place(each.where)}" for each in every[:_MOST]]
    return lines if len(every) <= _MOST else [*lines, f"  … and {len(every) - _MOST} more"]


def place(where: Frame | None) -> str:
    """The own line, as people write it."""
    return f"at {where.file}:{where.line} in {where.function}()" if where else "(from no line of your own)"


def plural(count: int, noun: str) -> str:
    """``1 statement``, ``2 statements``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def ms(ns: float) -> str:
    """Milliseconds, with as many digits as mean something."""
    value = ns / 1e6
    return f"{value:.0f} ms" if value >= 99.5 else f"{value:.1f} ms" if value >= 0.995 else f"{value:.3f} ms"


def size(count: float) -> str:
    """Bytes in the unit people would say."""
    for unit, factor in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if abs(count) >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} bytes"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
