"""R42: the wall clock is set back and forward under a running agent: no duration moves, no question fails."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from werkzeug.test import Client

from apm_agent.clock import Clock
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from apm_agent.web.routes import ROUTES
from records import process, record, rows, sums_agree

DAY = 86_400

#: The clock of one process, set by hand before anything of ours looks at it.
STEPPING = """
import sys, time
sys.path[:0] = {path!r}
really, step = time.time_ns, [0]
time.time_ns = lambda: really() + step[0]
time.time = lambda: time.time_ns() / 1e9
import apm_agent as apm
apm.install(store="sqlite:///{store}", service="steps", sample_interval="1ms")

def job(after):
    with apm.background_transaction("job"):
        with apm.span("before"): pass
        step[0] = int(after * 1e9)  # in the middle of it
        with apm.span("after"):
            until = time.perf_counter() + 0.02
            while time.perf_counter() < until: pass

for after in (0, -{day}, {day}, -3600, 1, -1, 0):
    job(after)
    job(after)
    assert apm.flush(5)
"""


def test_r42_no_duration_moves_and_every_question_is_answered(tmp_path: Path) -> None:
    store = tmp_path / "apm.db"
    script = STEPPING.format(path=sys.path, store=store, day=DAY)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    [(count, shortest, longest, first, last)] = rows(
        store,
        "SELECT count(*), min(duration_ns), max(duration_ns), min(started_at), max(started_at) FROM transactions",
    )
    assert count == 14
    assert 20_000_000 <= shortest <= longest < 20 * 10**9
    assert last - first > 1.9 * DAY * 10**9, "when they were is told by the clock as it was"
    assert sums_agree(store)
    [(number,)] = rows(store, "SELECT max(transaction_id) FROM traces")
    ask = Client(dashboard(f"sqlite:///{store}", open_to_all=True)).get
    wanted = {"name": "job", "kind": "background", "id": f"{number:016x}"}
    for route, declared in ROUTES.items():
        asked = "&".join(f"{name}={quote(wanted[name])}" for name in declared.parameters if name in wanted)
        for window in (
            "range=15m",
            "range=24h",
            f"from={time.time() - 3 * DAY:.0f}&to={time.time() + 3 * DAY:.0f}",
        ):
            answer = ask(f"/api/v1/{route}?{window}&{asked}")
            assert answer.status_code < 500, (route, window, answer.text)
            assert b"NaN" not in answer.data


def test_r42_a_lease_taken_before_the_clock_was_set_back_binds_nobody(tmp_path: Path) -> None:
    path = tmp_path / "apm.db"
    now = time.time_ns()
    ahead = SQLiteStore(str(path), process(1), clock=Clock(wall=lambda: now + 30 * DAY * 10**9))
    ahead.write([record()])
    ahead.prune()
    ahead.close()
    right = SQLiteStore(str(path), process(2), clock=Clock(wall=lambda: now), max_age=3600)
    right.write([record(at=now - 2 * 3600 * 10**9)])
    while right.prune():
        pass
    right.close()
    assert rows(path, "SELECT count(*) FROM transactions WHERE started_at < ?", now - 3600 * 10**9) == [(0,)]


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_r42_retention_goes_on_whichever_way_the_clock_was_set(tmp_path: Path, step: int) -> None:
    path, wall, monotonic = tmp_path / "apm.db", [time.time_ns()], [10**9]
    clock = Clock(wall=lambda: wall[0], monotonic=lambda: monotonic[0])
    store = SQLiteStore(str(path), process(), max_size=4 * 2**20, clock=clock)
    sizes = []
    for _ in range(4):
        for _ in range(12):
            store.write([record(f"GET /{n % 7}", context={"filler": "x" * 2000}) for n in range(100)])
        monotonic[0] += 70 * 10**9
        wall[0] += 70 * 10**9 + step * 10**9
        while store.prune():
            pass
        sizes.append(
            rows(path, "PRAGMA page_count")[0][0] * 4096
        )  # the file itself follows with a checkpoint
    store.close()
    assert max(sizes) <= 4 * 2**20
