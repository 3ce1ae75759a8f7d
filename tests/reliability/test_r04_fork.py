"""R4, R5: a child forked at the worst moment records at once; one forked without hooks does too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from records import rows, sums_agree

PRELUDE = """
import os, sys, threading, time
sys.path[:0] = {path!r}
import apm_agent as apm
from apm_agent import agent
apm.install(store="sqlite:///{store}", service="forks", flush_interval=0.05)

@apm.background_transaction
def job():
    pass

def reap(pid):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hung"

"""

EVERY_LOCK = """
import _thread, gc, types
CONTAINERS = (dict, list, tuple, types.MethodType)
job()
assert apm.flush(5)
kinds = (_thread.LockType, type(threading.RLock()))
def ours():
    found = []
    seen = set()
    todo = [agent._agent, *(vars(each) for name, each in list(sys.modules.items()) if name.startswith("apm_agent"))]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, (type, types.ModuleType, types.FunctionType, str, int)):
            continue
        seen.add(id(thing))
        if isinstance(thing, kinds):
            found.append(thing)
        elif type(thing).__module__.startswith("apm_agent") or isinstance(thing, CONTAINERS):
            todo += gc.get_referents(thing)
    return found
locks = ours()
assert len(locks) >= 3, locks
for lock in locks:
    taken = lock.acquire(False)
    pid = os.fork()
    if pid == 0:
        job()
        os._exit(0 if apm.flush(5) else 3)
    answer = reap(pid)
    if taken:
        lock.release()
    assert answer == 0, (lock, answer)
print(len(locks))
"""

WHILE_WRITING = """
stop = False
def busy():
    while not stop:
        job()
threads = [threading.Thread(target=busy) for _ in range(3)]
for each in threads: each.start()
answers = []
for n in range(15):
    time.sleep(0.03)
    pid = os.fork()
    if pid == 0:
        for _ in range(5): job()
        os._exit(0 if apm.flush(5) else 3)
    answers.append(reap(pid))
stop = True
for each in threads: each.join()
assert answers == [0] * 15, answers
assert apm.flush(10)
"""

WITHOUT_HOOKS = """
import ctypes
pid = ctypes.PyDLL(None).fork()  # as uWSGI forks: in C, and Python hears nothing of it
if pid == 0:
    job()
    os._exit(0 if apm.flush(5) else 3)
assert reap(pid) == 0
job()
job()
assert apm.flush(5)
"""


def run(tmp_path: Path, body: str) -> Path:
    store = tmp_path / "apm.db"
    script = PRELUDE.format(path=sys.path, store=store) + body
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert rows(store, "PRAGMA integrity_check") == [("ok",)]
    assert sums_agree(store)
    return store


def test_r04_with_any_of_our_locks_held(tmp_path: Path) -> None:
    store = run(tmp_path, EVERY_LOCK)
    # One process each: the parent, and a child for every lock.
    assert rows(store, "SELECT count(*) FROM processes")[0][0] >= 4


def test_r04_while_other_threads_record(tmp_path: Path) -> None:
    store = run(tmp_path, WHILE_WRITING)
    assert rows(store, "SELECT count(*) FROM processes") == [(16,)]
    counts = sorted(rows(store, "SELECT count(*) FROM transactions GROUP BY process_id"))
    assert counts[:15] == [(5,)] * 15


def test_r05_forked_in_c_without_hooks(tmp_path: Path) -> None:
    store = run(tmp_path, WITHOUT_HOOKS)
    assert rows(store, "SELECT count(*) FROM processes") == [(2,)]
    assert rows(store, "SELECT count(*) FROM transactions") == [(3,)]
