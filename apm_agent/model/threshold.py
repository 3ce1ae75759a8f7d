"""From when on a transaction's insights are told: every threshold, declared once, for the setting and for the rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

DURATION, COUNT, SIZE, SHARE = "duration", "count", "size", "share"
MS = 1_000_000
_NS = 1_000_000_000


def _threshold(default: float, unit: str, doc: str) -> Any:
    return field(default=default, metadata={"unit": unit, "doc": doc})


@dataclass(frozen=True)
class Thresholds:
    """What the rules compare with: durations in nanoseconds, sizes in bytes, shares from 0 to 1."""

    repeated_query: int = _threshold(20, COUNT, "Runs of one statement from one line, whatever they take.")
    repeated_query_few: int = _threshold(5, COUNT, "Runs of it that suffice where they take long together.")
    repeated_query_time: int = _threshold(50 * MS, DURATION, "How long those few take together.")
    slow_query: int = _threshold(100 * MS, DURATION, "A statement, or its runs from one line together.")
    big_result: int = _threshold(1000, COUNT, "Rows that one run of a statement returned.")
    connection_wait: int = _threshold(20 * MS, DURATION, "For connections of a pool, from one line.")
    blocked_loop: int = _threshold(100 * MS, DURATION, "A stay of one line on the event loop.")
    blocked_by: int = _threshold(50 * MS, DURATION, "Ready to run, while another held the event loop.")
    sequential_calls: int = _threshold(
        50 * MS, DURATION, "What calls in a row would save at most side by side."
    )
    sequential_calls_count: int = _threshold(
        3, COUNT, "Calls in a row; two suffice where they ask two hosts."
    )
    sequential_calls_gap: int = _threshold(5 * MS, DURATION, "Between two calls, for both to be of one row.")
    slow_upstream: int = _threshold(100 * MS, DURATION, "Calls of one host from one line.")
    cache_misses: int = _threshold(20, COUNT, "Values asked for from one line that the cache did not have.")
    cache_misses_share: float = _threshold(0.5, SHARE, "Of all values asked for there.")
    slow_template: int = _threshold(50 * MS, DURATION, "A template, without the queries it sets off.")
    hot_line: float = _threshold(0.5, SHARE, "Of the sampled time, in one function of your own.")
    gc_pause: int = _threshold(10 * MS, DURATION, "Garbage collections together.")
    gc_pause_share: float = _threshold(0.1, SHARE, "Of the transaction that they take at least.")
    memory_growth: int = _threshold(2**20, SIZE, "Resident memory more than before, while nothing else ran.")
    bottleneck: float = _threshold(
        0.5, SHARE, "Of a slow transaction: what takes as much is told below its own threshold too."
    )
    bottleneck_time: int = _threshold(10 * MS, DURATION, "And takes at least this long.")

    @classmethod
    def of(cls, given: Iterable[tuple[str, float]]) -> Thresholds:
        """The defaults, but for those given as the setting has them: durations in seconds."""
        return cls(**{name: _exact(UNITS[name], value) for name, value in given})


#: name → one of DURATION, COUNT, SIZE, SHARE
UNITS: dict[str, str] = {declared.name: declared.metadata["unit"] for declared in fields(Thresholds)}
DEFAULTS = Thresholds()


def _exact(unit: str, value: float) -> Any:
    if unit == SHARE:
        return value
    return round(value * _NS) if unit == DURATION else int(value)
