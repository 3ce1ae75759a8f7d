"""The single transactions that a mirror has at hand: whole hours of them, and those that a statement picks.

Of a stretch with more than `MOST` the newest are drawn, and of its earlier hours the slowest and the failed ones, and
`provide` says so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from apm_agent.queries.drawing import Changes, Drawing, Drawn
from apm_agent.queries.mirrored import Numbers, put, runs
from apm_agent.queries.needs import END, Transactions
from apm_agent.queries.picking import MOST_SLICED, Picked

#: Transactions drawn whole for one question; of an hour beyond them so many of the slowest and of the failed ones.
MOST, OF_AN_HOUR = 300_000, 1_000
#: Beyond so many it begins anew; more than so many at once are not followed but drawn when they are asked for again.
_FULL, _ADDED = 1_500_000, 100_000
#: Picks that are remembered.
_PICKS = 20_000
_HOUR_NS = 3600 * 10**9


class Singles:
    """Which hours are here whole, and what was picked of the others."""

    def __init__(self, raw: sqlite3.Connection, numbers: Numbers) -> None:
        self._raw = raw
        self._numbers = numbers
        #: hours of which all transactions are here, or but the slowest and the failed
        self._hours: set[int] = set()
        self._some: set[int] = set()
        #: pick → whether it was enough
        self._picks: dict[Picked, bool] = {}
        self._newest = False
        #: grows when what was here is gone
        self.anew = 0

    def provide(self, need: Transactions, drawn: Drawing) -> str:
        """Have a stretch here; in words, which part of it is not."""
        first, last = need.start // _HOUR_NS, -(-min(need.end, END * 10**9) // _HOUR_NS)
        if last - first > 1000:
            low, high = drawn.started()
            first, last = max(first, low // _HOUR_NS), min(last, high // _HOUR_NS + 1)
        if need.most is not None:
            first = self._newest_hours(first, last, need.most, drawn)
        missing = [hour for hour in range(first, last) if hour not in self._hours]
        if missing:
            self._draw_hours(missing, drawn)
        some = sum(hour in self._some for hour in range(first, last))
        return (
            f"of {some} hours only the {OF_AN_HOUR} slowest and the {OF_AN_HOUR} newest failed transactions are looked"
            " at; counts and percentiles are of all"
            if some
            else ""
        )

    def provide_pick(self, pick: Picked, drawn: Drawing) -> str:
        """Have here what a statement picks."""
        low, high = pick.bounds
        first, last = low // _HOUR_NS, high // _HOUR_NS + 1
        if last - first <= len(self._hours) and all(hour in self._hours for hour in range(first, last)):
            return ""
        if pick not in self._picks:
            self._picks[pick] = self._draw_pick(pick, drawn)
        return "" if self._picks[pick] else self.provide(Transactions(low, high), drawn)

    def provide_newest(self, drawn: Drawing) -> None:
        """Have the newest here, and the oldest."""
        if not self._newest:
            self._put(drawn.newest())
            self._newest = True

    def provide_ids(self, ids: Iterable[int], drawn: Drawing) -> None:
        """Have these here."""
        self._put(drawn.by_ids(self._absent(ids)))

    def follow(self, changes: Changes, since: int, drawn: Drawing) -> None:
        """Draw what came of what is here whole; what was picked there is picked again."""
        if not changes.hours:
            return
        self._newest = False
        first, last = min(changes.hours), max(changes.hours)
        for pick in [
            pick
            for pick in self._picks
            if pick.bounds[0] // _HOUR_NS <= last and pick.bounds[1] // _HOUR_NS >= first
        ]:
            del self._picks[pick]
        here = changes.hours & (self._hours | self._some)
        if here:
            rows = drawn.added(since, here, _ADDED)
            if len(rows) < _ADDED:
                self._put(rows)
            else:
                self._hours -= here
                self._some -= here

    def _draw_pick(self, pick: Picked, drawn: Drawing) -> bool:
        if len(self._picks) > _PICKS:
            self._picks.clear()
        self._make_room()
        # Where the detail must be there too, some of those that say so may have lost it.
        limit = 2 * pick.limit + 100 if pick.traced else pick.limit
        rows = drawn.picked(pick, self._numbers.far, limit)
        traced = sum(bool(row["traced"]) for row in rows)
        self._put(rows)
        return len(rows) < limit or (traced >= pick.limit if pick.traced else pick.limit != MOST_SLICED)

    def _newest_hours(self, first: int, last: int, most: int, drawn: Drawing) -> int:
        """The hour with which so many of the newest transactions begin."""
        for hour, count in sorted(drawn.hourly(first, last).items(), reverse=True):
            most -= count
            if most <= 0:
                return hour
        return first

    def _draw_hours(self, missing: list[int], drawn: Drawing) -> None:
        self._make_room()
        counts = drawn.hourly(missing[0], missing[-1] + 1)
        left = MOST
        whole: list[int] = []
        some: list[int] = []
        for hour in reversed(missing):
            count = counts.get(hour, 0)
            (whole if count <= left else some).append(hour)
            left = left - count if count <= left else 0
        for begin, stop in runs(sorted(whole)):
            if any(counts.get(hour) for hour in range(begin, stop)):
                self._put(drawn.between(begin * _HOUR_NS, stop * _HOUR_NS))
        for hour in some:
            if hour not in self._some:
                self._put(drawn.remarkable(hour * _HOUR_NS, (hour + 1) * _HOUR_NS, OF_AN_HOUR))
        self._hours.update(whole)
        self._some.difference_update(whole)
        self._some.update(some)

    def _put(self, rows: Sequence[Drawn]) -> None:
        if not rows:
            return
        traced = [{"transaction_id": row["id"]} for row in rows if row.pop("traced")]
        near = self._numbers.near
        placed = [
            {**self._numbers.placed(row), "process_id": near("processes", row["process_id"])} for row in rows
        ]
        put(self._raw, "transactions", placed)
        put(self._raw, "traced", traced)

    def _absent(self, ids: Iterable[int]) -> list[int]:
        found = []
        for number in ids:
            if (
                number > 1 << 40
                and not self._raw.execute("SELECT 1 FROM transactions WHERE id = ?", (number,)).fetchone()
            ):
                found.append(number)
        return found

    def _make_room(self) -> None:
        if self._raw.execute("SELECT count(*) FROM transactions").fetchone()[0] <= _FULL:
            return
        for table in ("transactions", "traced"):
            self._raw.execute(f"DELETE FROM {table}")
        self._hours.clear()
        self._some.clear()
        self._picks.clear()
        self._newest = False
        self.anew += 1
