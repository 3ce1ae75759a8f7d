"""R18: an exception that a signal's handler raises at any moment, as timeouts do, leaves nothing open or locked.

gunicorn aborts a silent worker so, Celery its soft time limits, and many a decorator its own: wherever the main thread
happens to be, which may be within the agent.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from records import rows, sums_agree

SCRIPT = """
import gc, random, signal, sqlite3, sys, threading, time
sys.path[:0] = {path!r}
import apm_agent as apm

class TooLate(Exception):
    pass

def raise_it(number, frame):
    raise TooLate

signal.signal(signal.SIGALRM, raise_it)
connection = sqlite3.connect(":memory:")

def site(environ, start_response):
    with apm.span("part"):
        apm.add_context(user=7)
        connection.execute("SELECT 1").fetchall()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]

app = apm.wsgi(site, store="sqlite:///{store}", service="late", flush_interval="50ms", sample_interval="1ms")

def request():
    body = app({{"REQUEST_METHOD": "GET", "PATH_INFO": "/users/7"}}, lambda *told: None)
    return b"".join(body)

chance = random.Random(3)
for _ in range(200): request()
began = time.perf_counter()
for _ in range(100): request()
usual = (time.perf_counter() - began) / 100
whole = late = 0
for _ in range(3000):
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 1.5 * usual))
        try:
            assert request() == b"ok"
            whole += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except TooLate:
        late += 1
signal.signal(signal.SIGALRM, signal.SIG_DFL)
assert late > 300, (whole, late)
assert apm.flush(10), "somebody keeps a lock"
# The next request is one of its own, and nothing of those before is current in it.
assert request() == b"ok"
assert apm.current_transaction() is None
with apm.background_transaction("after") as after:
    assert apm.current_transaction() is after
assert apm.flush(10)
# The thread that writes is still there: what comes now is written with nobody asking.
assert request() == b"ok"
print(whole, late)
time.sleep(0.5)
import os
os._exit(0)
"""


def test_r18_exceptions_out_of_a_signal_at_any_moment(tmp_path: Path) -> None:
    store = tmp_path / "apm.db"
    script = SCRIPT.format(path=sys.path, store=store)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "apm-agent failed" not in done.stderr, done.stderr
    whole, late = map(int, done.stdout.split())
    [(count,)] = rows(store, "SELECT count(*) FROM transactions WHERE path = '/users/7'")
    assert whole + 302 <= count <= whole + late + 302, "every request that was answered is there"
    assert rows(store, "SELECT count(*) FROM transactions") == [(count + 1,)]
    assert sums_agree(store)
