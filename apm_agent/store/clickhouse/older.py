"""Counts as lost what a shipper will never look at: transactions older than the minutes the local store keeps.

A shipper tells by the counts of minutes what is not shipped yet, and minutes are kept for eight days, or less in a full
file. Of a store that was older when it was first shipped, or after a longer absence, hours still say how many it had.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apm_agent.store.clickhouse.cursor import Cursor
    from apm_agent.store.clickhouse.local import Local

_MINUTE, _HOUR = 60, 3600


def reckon(local: Local, cursor: Cursor, minutes: dict[int, int]) -> None:
    """Of all before the oldest of these minutes, count what was not shipped as dropped, once, and forget it.

    In the cursor stands up to which minute that was done, and how many its hour had before it.
    """
    until = min(minutes, default=int(time.time()) // _MINUTE * _MINUTE)
    since, part = map(int, (cursor.get("older") or "0:0").split(":"))
    if until > since:
        hour = until // _HOUR * _HOUR
        hours = {t: n for t, n in local.counted(_HOUR, since // _HOUR * _HOUR).items() if t <= hour}
        of_last = hours.get(hour, 0) - sum(n for t, n in minutes.items() if t < hour + _HOUR)
        before = sum(n for t, n in hours.items() if t < hour) + of_last
        done = sum(n for t, n in cursor.done.items() if since <= t < until)
        cursor.lose(max(0, before - part - done), older=f"{until}:{max(0, of_last)}")
    cursor.forget(until if minutes else 0)
