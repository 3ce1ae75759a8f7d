"""The windows of rollups that a mirror has at hand: drawn by whole stretches of time, and followed as they change."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from apm_agent.queries import drawing
from apm_agent.queries.drawing import Changes, Drawn
from apm_agent.queries.mirrored import Numbers, put, runs
from apm_agent.queries.needs import Oldest, Windows

#: Seconds of the stretches of windows that are drawn at once, by resolution.
_STRETCH = {60: 3600, 600: 14_400, 3600: 86_400, 86_400: 100 * 86_400}
#: Windows that are asked for by their times at once; seconds after which a window that changes is of the past.
_AT_ONCE, _PAST = 500, 900


class Stretches:
    """Of every table and resolution the stretches that are here."""

    def __init__(self, raw: sqlite3.Connection, numbers: Numbers) -> None:
        self._raw = raw
        self._numbers = numbers
        self._here: dict[tuple[str, int], set[int]] = {}
        self._oldest: set[tuple[str, int]] = set()

    def provide(self, need: Windows, drawn: drawing.Drawing) -> None:
        """Have these windows here."""
        for level in (need.level,) if need.level else drawing.LEVELS[need.table]:
            if level in _STRETCH:
                self._level(need, level, _STRETCH[level], drawn)

    def provide_oldest(self, need: Oldest, drawn: drawing.Drawing) -> None:
        """Have the first window here."""
        if (need.table, need.level) not in self._oldest:
            low, _ = drawn.span(need.table, need.level)
            self._put(need.table, drawn.windows(need.table, need.level, low, low + 1))
            self._oldest.add((need.table, need.level))

    def follow(self, changes: Changes, drawn: drawing.Drawing) -> bool:
        """Draw what changed of what is here; whether any of it was of the past."""
        past = False
        now = time.time()
        for (table, level), times in changes.windows.items():
            width = _STRETCH.get(level, 0)
            here = self._here.get((table, level), ())
            mine = [t for t in times if width and t // width in here]
            for at in range(0, len(mine), _AT_ONCE):
                self._put(table, drawn.windows_at(table, level, mine[at : at + _AT_ONCE]))
            past = past or any(t + level < now - _PAST for t in mine)
        return past

    def _level(self, need: Windows, level: int, width: int, drawn: drawing.Drawing) -> None:
        here = self._here.setdefault((need.table, level), set())
        first, last = need.start // width, -(-need.end // width)
        if last - first > 1000 or len(here) < last - first:  # most of them hold nothing
            low, high = drawn.span(need.table, level)
            first, last = max(first, low // width), min(last, high // width + 2)
        missing = [each for each in range(first, last) if each not in here]
        for begin, stop in runs(missing):
            self._put(need.table, drawn.windows(need.table, level, begin * width, stop * width))
        here.update(missing)

    def _put(self, table: str, rows: Iterable[Drawn]) -> None:
        put(self._raw, table, [self._numbers.placed(row) for row in rows])
