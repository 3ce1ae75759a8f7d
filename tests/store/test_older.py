"""What is older than the minutes a store keeps is not shipped; it is counted, and once."""

from __future__ import annotations

from pathlib import Path

from apm_agent.clock import Clock
from apm_agent.store.clickhouse.cursor import Cursor
from apm_agent.store.clickhouse.local import Local
from apm_agent.store.clickhouse.older import reckon
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record, rows

DAY = 86_400 * SECOND
START = 1_790_000_000 * SECOND


def test_transactions_older_than_the_minutes_are_counted_once(tmp_path: Path) -> None:
    path, wall = tmp_path / "apm.db", [START]
    clock = Clock(lambda: wall[0], lambda: wall[0])
    store = SQLiteStore(str(path), process(), max_age=30 * 86_400.0, clock=clock)
    made = Cursor(str(path), "one")

    def writes(count: int, after: int) -> None:
        wall[0] += after
        store.write([record(at=wall[0] - n * SECOND) for n in range(count)])
        while store.prune():
            pass

    def dropped() -> int:
        local = Local(str(path))
        made.begin(local.identity)
        minutes = local.counted(60, 0)
        reckon(local, made, minutes)
        for t, count in minutes.items():  # and these are shipped
            if count > made.done.get(t, 0):
                made.finish(t, count, 0, count - made.done.get(t, 0))
        local.close()
        return int(made.get("dropped", "0"))

    writes(300, 0)
    writes(200, 600 * SECOND)
    assert dropped() == 0  # all of it lies in minutes
    writes(40, 9 * DAY)
    assert rows(path, "SELECT count(*) FROM transactions") == [(540,)]
    assert dropped() == 0  # of what is older all was shipped
    # Nobody ships for ten days: what came last is older than the minutes then, and was not looked at in time.
    writes(70, DAY)
    writes(30, 9 * DAY + 1800 * SECOND)
    assert dropped() == 70
    assert dropped() == 70
    made.close()

    other = Cursor(str(path), "two")  # to another server nothing was shipped yet
    local = Local(str(path))
    other.begin(local.identity)
    for _ in range(2):
        reckon(local, other, local.counted(60, 0))
    assert other.get("dropped") == str(300 + 200 + 40 + 70)
    other.close()
    local.close()
    store.close()
