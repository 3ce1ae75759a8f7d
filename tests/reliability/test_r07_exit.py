"""R7, R25: however a process ends, it ends at once, quietly, with its own status; its records are kept."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from records import rows, sums_agree

PRELUDE = """
import os, sys, threading, time
sys.path[:0] = {path!r}
import apm_agent as apm
apm.install(store="sqlite:///{store}", service="exits")

@apm.background_transaction
def job():
    pass

"""

#: What a process does last → its status and how many transactions are in the file.
ENDINGS = {
    "nothing": ("pass", 0, 0),
    "one": ("job()", 0, 1),
    "many": ("for _ in range(3000): job()", 0, 3000),
    "exit": ("job(); sys.exit(3)", 3, 1),
    "exit-in-thread": (
        "t = threading.Thread(target=lambda: (job(), sys.exit(3))); t.start(); t.join()",
        0,
        1,
    ),
    "daemon-thread": ("job(); threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", 0, 1),
    "in-atexit": ("import atexit; atexit.register(job); job()", 0, 2),
    "uninstalled": ("job(); apm.uninstall(); job()", 0, 1),
    "error": ("job(); os.close(2); raise ValueError", 1, 1),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_r07_a_process_ends_at_once_and_quietly(tmp_path: Path, ending: str) -> None:
    last, status, expected = ENDINGS[ending]
    store = tmp_path / "apm.db"
    command = [sys.executable, "-c", PRELUDE.format(path=sys.path, store=store) + last]
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (status, "", "")
    assert time.monotonic() - begun < 15  # it does not hang; how long it takes is the benchmark's to say
    if expected:
        assert rows(store, "SELECT count(*) FROM transactions") == [(expected,)]
        assert sums_agree(store)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_r25_children_of_multiprocessing_keep_what_they_did(tmp_path: Path, method: str) -> None:
    store = tmp_path / "apm.db"
    script = tmp_path / "pool.py"
    script.write_text(
        PRELUDE.format(path=sys.path, store=store)
        + f"""
def work(n):
    job()
    return n

if __name__ == "__main__":
    import multiprocessing
    with multiprocessing.get_context({method!r}).Pool(2, maxtasksperchild=1) as pool:
        assert pool.map(work, range(3), chunksize=1) == list(range(3))
        pool.close()
        pool.join()
"""
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(store, "SELECT count(*) FROM transactions") == [(3,)]


def test_r25_a_killed_process_loses_at_most_an_interval(tmp_path: Path) -> None:
    store = tmp_path / "apm.db"
    body = """
import apm_agent.agent
for n in range(200):
    job()
assert apm.flush(5)
print("written", flush=True)
while True:
    job()
    time.sleep(0.001)
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", PRELUDE.format(path=sys.path, store=store) + body], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"written\n"
    worker.send_signal(signal.SIGKILL)
    worker.stdout.close()
    worker.wait()
    assert rows(store, "SELECT count(*) FROM transactions")[0][0] >= 200
    assert sums_agree(store)


def test_r07_the_first_record_while_the_interpreter_ends(tmp_path: Path) -> None:
    """No thread can start any more; the flush at exit writes in the thread that is there."""
    store = tmp_path / "apm.db"
    body = """
import atexit, threading
threading._register_atexit(job) if hasattr(threading, "_register_atexit") else job()
"""
    command = [sys.executable, "-c", PRELUDE.format(path=sys.path, store=store) + body]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(store, "SELECT count(*) FROM transactions") == [(1,)]


def test_r07_a_locked_store_does_not_hold_the_end(tmp_path: Path) -> None:
    """What cannot be written in two seconds is lost, as a restart that hangs would be worse."""
    store = tmp_path / "apm.db"
    prelude = PRELUDE.format(path=sys.path, store=store)
    subprocess.run([sys.executable, "-c", prelude + "job()"], timeout=30, check=True)
    holder = sqlite3.connect(store, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        last = "job(); assert not apm.flush(0.2); job(); print('over', flush=True)"
        command = [sys.executable, "-c", prelude + last]
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        taken = time.monotonic() - begun
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert (done.returncode, done.stdout) == (0, "over\n")
    assert "is locked" in done.stderr
    assert taken < 15  # two seconds and what a busy machine adds
    assert rows(store, "SELECT count(*) FROM transactions") == [(1,)]
