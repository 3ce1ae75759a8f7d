"""The window of time a question is about, and the rollup rows that cover it exactly."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Mapping
from typing import NamedTuple

from apm_agent.errors import QuestionError

RANGES = {"15m": 900, "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800}
DEFAULT = "1h"

#: The resolutions of rollups and of profiles, finest first: the wings share the file, not the constant.
ROLLUPS = (60, 3600, 86400)
PROFILES = (600, 3600, 86400)

#: From this length on a window begins at a full hour: the minutes before it are most of what there is to
#: read.
_LONG = 86400

#: How long minutes and hours are kept (by the store's retention, with a day to spare): an older window begins
#: and ends at full hours or days.
_KEPT = ((60, 7 * 86400 + 7200), (3600, 89 * 86400))

#: No window reaches outside these: 2000-01-01 to 2100-01-01.
FIRST, LAST = 946_684_800, 4_102_444_800
_LONGEST = 400 * 86400

Piece = tuple[int, int, int]


class Window(NamedTuple):
    """From `start` (a full minute) up to `end`, in Unix seconds; `open` when it reaches the present."""

    start: int
    end: float
    range: str | None = None
    open: bool = True

    @property
    def seconds(self) -> float:
        return max(1.0, self.end - self.start)

    @property
    def minutes(self) -> float:
        return self.seconds / 60

    @property
    def start_ns(self) -> int:
        return self.start * 10**9

    @property
    def end_ns(self) -> int:
        """Whole minutes, as the rollups count them; an open window has no end."""
        return LAST * 10**9 if self.open else math.ceil(self.end / 60) * 60 * 10**9

    def previous(self) -> Window:
        """The window of the same length that ends where this one begins."""
        unit = 3600 if self.start % 3600 == 0 and self.seconds >= _LONG else 60
        start = math.floor((self.start - self.seconds) / unit) * unit
        return Window(max(FIRST, start), self.start, None, False)

    def unit(self) -> int:
        """Seconds of the finest rollup that is kept of all of it, and that does not cost too much to read."""
        return max(3600 if self.seconds >= _LONG else 60, _finest(time.time() - self.start))

    def pieces(self, levels: tuple[int, ...] = ROLLUPS) -> list[Piece]:
        """(resolution, from, to) that cover the window once: days, hours around them, minutes around those.

        The running hour and day are as current as the running minute, so an open window ends in whole days.
        """
        coarse = levels[-1]
        end = (math.floor(self.end) // coarse + 1) * coarse if self.open else self.end
        return cover(self.start, end, levels)


def cover(start: float, end: float, levels: tuple[int, ...]) -> list[Piece]:
    """The fewest aligned pieces that cover [start, end), edges widened to the finest level."""
    finest = levels[0]
    low, high = math.floor(start / finest) * finest, math.ceil(end / finest) * finest
    found: list[Piece] = []
    _cover(low, high, levels, found)
    return found


def _cover(low: int, high: int, levels: tuple[int, ...], found: list[Piece]) -> None:
    if low >= high:
        return
    level = levels[-1]
    up, down = -(-low // level) * level, high // level * level
    if len(levels) == 1:
        found.append((level, low, high))
    elif up >= down:
        _cover(low, high, levels[:-1], found)
    else:
        _cover(low, up, levels[:-1], found)
        found.append((level, up, down))
        _cover(down, high, levels[:-1], found)


def parse(parameters: Mapping[str, str], now: float | None = None) -> Window:
    """The window that ``range=`` or ``from=`` and ``to=`` ask for; `QuestionError` says what is allowed."""
    present = time.time() if now is None else now
    given = {key: parameters[key] for key in ("range", "from", "to") if parameters.get(key, "") != ""}
    if "range" in given and len(given) > 1:
        raise QuestionError("range= and from=/to= exclude each other: give one of them")
    if "from" in given or "to" in given:
        return _between(given, present)
    return of_range(given.get("range", DEFAULT), present)


def of_range(name: str, now: float | None = None) -> Window:
    """The last 15m, 1h, 6h, 24h or 7d."""
    present = time.time() if now is None else now
    length = RANGES.get(name)
    if length is None:
        raise QuestionError(
            f"range={name[:40]!r} is not one of {', '.join(RANGES)}; for another window give from= and to="
        )
    unit = 3600 if length >= _LONG else 60
    return Window(math.floor((present - length) / unit) * unit, present, name, True)


def _between(given: Mapping[str, str], now: float) -> Window:
    if "from" not in given:
        raise QuestionError("to= needs from=")
    start = _moment("from", given["from"])
    end = _moment("to", given["to"]) if "to" in given else now
    if end <= start:
        raise QuestionError(f"to={given.get('to', 'now')[:40]!r} is not after from={given['from'][:40]!r}")
    if end - start > _LONGEST:
        raise QuestionError(f"from= and to= are more than {_LONGEST // 86400} days apart")
    unit = _finest(now - start)
    if end >= now:
        return Window(math.floor(start / unit) * unit, end, None, True)
    return Window(
        math.floor(start / unit) * unit, math.ceil(end / unit) * unit if unit > 60 else end, None, False
    )


def _finest(age: float) -> int:
    """The finest rollups that are still kept of a time so long ago."""
    return next((unit for unit, kept in _KEPT if age < kept), 86400)


def _moment(name: str, text: str) -> float:
    number = _unix(text)
    if number is None or not FIRST <= number <= LAST:  # also refuses NaN
        raise QuestionError(
            f"{name}={text[:40]!r} is not a time: give Unix seconds or ISO 8601 like 2026-09-21T10:30:00Z, "
            "from 2000 to 2100"
        )
    return number


def _unix(text: str) -> float | None:
    try:
        return float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
