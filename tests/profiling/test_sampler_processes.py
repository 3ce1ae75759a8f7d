"""The sampling thread in processes of its own: parked, forked, ended, short of processors, under gevent."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def run_python(code: str, *options: str) -> tuple[int, str, str]:
    """A fresh interpreter's exit status, output and errors; it must end within a minute, however busy the machine."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return done.returncode, done.stdout.strip(), done.stderr


@linux
@pytest.mark.parametrize(("threads", "marked"), [(3, True), (1, False)])
def test_what_is_seen_while_processors_are_short_is_marked(threads: int, marked: bool) -> None:
    """Compression gives the GIL up, so three of it want three processors, and there is one."""
    code = f"""
        import os, threading, time, zlib
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        from apm_agent.model.transaction import Transaction
        from apm_agent.profiling.sampler import Sampler
        sampler = Sampler(0.01, 1.0)
        block = os.urandom(400_000)
        def wants_more():  # beside other programs it takes longer to learn that compression gives the GIL up
            return {marked} and sampler.stats()["uncertain_share"] <= 0.7
        def work():
            t = Transaction("web", "x", time.monotonic_ns())
            sampler.start(t)
            until = time.monotonic() + 1.5
            while time.monotonic() < until or wants_more() and time.monotonic() < until + 20:
                zlib.compress(block, 9)
            t.end_ns = time.monotonic_ns(); t.ended = True
            sampler.stop(t)
        all_of_them = [threading.Thread(target=work) for _ in range({threads})]
        for each in all_of_them: each.start()
        for each in all_of_them: each.join()
        print(sampler.stats()["uncertain_share"])
    """
    status, out, errors = run_python(code)
    assert (status, errors) == (0, "")
    assert (float(out) > 0.7) is marked, out


@linux
def test_r26_parked_without_a_wake_up_while_nothing_is_open() -> None:
    code = """
        import os, sys, time, re
        sys.path.insert(0, "tests/profiling")
        from apm_agent.model.transaction import Transaction
        from apm_agent.profiling.sampler import Sampler
        sampler = Sampler(0.001, 1.0)
        before = set(os.listdir("/proc/self/task"))
        t = Transaction("web", "x", time.monotonic_ns())
        sampler.start(t)
        time.sleep(0.1)
        t.end_ns = time.monotonic_ns(); t.ended = True
        sampler.stop(t)
        assert t.samples, "it looked"
        (thread,) = set(os.listdir("/proc/self/task")) - before
        def wakes():
            text = open(f"/proc/self/task/{thread}/status").read()
            return int(re.search(r"voluntary_ctxt_switches:\\s+(\\d+)", text)[1])
        while sampler.stats()["state"] != "parked":
            time.sleep(0.05)
        time.sleep(0.05)
        first, cpu = wakes(), sampler.stats()["cpu_share"]
        time.sleep(2)
        print(wakes() - first)
        t = Transaction("web", "x", time.monotonic_ns())
        sampler.start(t)
        time.sleep(0.1)
        print(sampler.stats()["state"], bool(t.samples))
    """
    status, out, errors = run_python(code)
    assert (status, errors) == (0, "")
    assert out.splitlines() == ["0", "looking True"]


@linux
def test_r04_a_fork_while_it_looks_and_the_child_looks_for_itself() -> None:
    code = """
        import os, sys, time
        from apm_agent.model.transaction import Transaction
        from apm_agent.profiling.sampler import Sampler
        sampler = Sampler(0.001, 1.0)
        os.register_at_fork(after_in_child=sampler.after_fork)
        before = sys.getswitchinterval()
        def work(seconds):
            until = time.monotonic() + seconds
            while time.monotonic() < until: sum(range(100))
        def one(seconds=0.1):
            t = Transaction("web", "x", time.monotonic_ns())
            sampler.start(t); work(seconds)
            t.end_ns = time.monotonic_ns(); t.ended = True
            sampler.stop(t)
            return t
        parent = Transaction("web", "parent", time.monotonic_ns())
        sampler.start(parent)
        while not parent.samples: work(0.005)
        for _ in range(20):
            work(0.005)
            pid = os.fork()
            if not pid:
                if sys.getswitchinterval() != before: os._exit(3)
                began = time.monotonic()
                t = one(0.01)
                if time.monotonic() - began > 1: os._exit(4)
                while not t.samples and time.monotonic() - began < 5: t = one(0.05)
                os._exit(0 if t.samples and parent.samples[-1].at_ns < t.start_ns else 5)
            status = os.waitpid(pid, 0)[1]
            assert status == 0, status
        print(len(parent.samples) > 10)
    """
    status, out, errors = run_python(code, "-W", "ignore::DeprecationWarning")
    assert (status, out, errors) == (0, "True", "")


@linux
def test_r05_a_fork_that_runs_no_hooks_is_noticed() -> None:
    code = """
        import os, time
        from apm_agent.model.transaction import Transaction
        from apm_agent.profiling.sampler import Sampler
        sampler = Sampler(0.001, 1.0)
        def one():
            t = Transaction("web", "x", time.monotonic_ns())
            sampler.start(t)
            until = time.monotonic() + 0.1
            while time.monotonic() < until: sum(range(100))
            t.end_ns = time.monotonic_ns(); t.ended = True
            sampler.stop(t)
            return bool(t.samples)
        def looked():
            return any(one() for _ in range(50))
        assert looked()
        pid = os.fork()
        if not pid:
            os._exit(0 if looked() else 4)
        print(os.waitpid(pid, 0)[1])
    """
    status, out, errors = run_python(code, "-W", "ignore::DeprecationWarning")
    assert (status, out, errors) == (0, "0", "")


_BEGIN = """
    import atexit, os, signal, sys, threading, time
    from apm_agent.model.transaction import Transaction
    from apm_agent.profiling.sampler import Sampler
    sampler = Sampler(0.001, 1.0)
    def begin():
        t = Transaction("web", "x", time.monotonic_ns())
        sampler.start(t)
        return t
    def end(t):
        t.end_ns = time.monotonic_ns(); t.ended = True
        sampler.stop(t)
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("pass", 0),
        ("t = begin(); time.sleep(0.02); end(t)", 0),
        ("begin(); time.sleep(0.02)", 0),
        ("begin(); time.sleep(0.02); sys.exit(3)", 3),
        ("begin(); time.sleep(0.02); os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)", -15),
        ("w = threading.Thread(target=lambda: (begin(), time.sleep(0.1), sys.exit(1))); w.start()", 0),
        ("atexit.register(lambda: end(begin()))", 0),
    ],
)
def test_r07_the_process_ends_in_peace(end: str, status: int) -> None:
    began = time.monotonic()
    assert run_python(textwrap.dedent(_BEGIN) + end) == (status, "", "")
    assert time.monotonic() - began < 5


def test_r07_no_thread_is_started_at_exit() -> None:
    code = textwrap.dedent(_BEGIN) + (
        "def last():\n    t = begin()\n    time.sleep(0.05)\n    end(t)\n"
        "    print(sampler.stats()['state'], len(t.samples))\n"
        "atexit.register(last)\n"
    )
    assert run_python(code) == (0, "not started 0", "")


def test_r06_under_gevent_it_is_a_real_thread_and_looks_into_the_running_greenlet() -> None:
    pytest.importorskip("gevent")
    code = """
        from gevent import monkey
        monkey.patch_all()
        import gevent, time, sys
        from apm_agent.model.transaction import Transaction
        from apm_agent.profiling.sampler import Sampler
        sampler = Sampler(0.002, 1.0)
        def request(name, seconds):
            t = Transaction("web", name, time.monotonic_ns())
            sampler.start(t)
            while (sum(len(o.samples) for o in open_now) < 100 or len(ticks) <= 10) and time.monotonic() < until:
                if seconds:
                    begun = time.thread_time()
                    while time.thread_time() < begun + seconds: sum(range(100))
                time.sleep(0.001)
            t.end_ns = time.monotonic_ns(); t.ended = True
            sampler.stop(t)
            return t
        until = time.monotonic() + 8
        begun = Transaction.__init__
        open_now = []
        def remember(self, *a):
            begun(self, *a)
            open_now.append(self)
        Transaction.__init__ = remember
        ticks = []
        def tick():
            while True:
                ticks.append(time.monotonic()); gevent.sleep(0.001)
        heart = gevent.spawn(tick)
        jobs = [gevent.spawn(request, str(n), 0.005 if n % 2 else 0) for n in range(6)]
        gevent.joinall(jobs)
        heart.kill()
        seen = {t.name: len(t.samples) for t in open_now}
        busy = sum(v for n, v in seen.items() if int(n) % 2)
        print(busy >= 90, len(ticks) > 10)
        if busy < 90: print(seen)
    """
    pytest.importorskip("greenlet")
    status, out, errors = run_python(code)
    assert (status, out, errors) == (0, "True True", "")
