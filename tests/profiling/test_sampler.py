"""The sampling thread itself: what it sees against truth, and how it behaves when nobody wants it."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apm_agent.model.profile import RUNNING
from apm_agent.model.transaction import Transaction
from apm_agent.profiling import attribution, native
from apm_agent.profiling.memory import Memory
from apm_agent.profiling.sampler import Sampler
from apm_agent.tracing.tracer import Tracer

MS = 1_000_000
Made = Callable[[float, float], Sampler]
Turned = Callable[..., tuple[Tracer, list[Any]]]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def run_python(code: str, *options: str) -> tuple[int, str, str]:
    """A fresh interpreter's exit status, output and errors; it must end within ten seconds."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=10, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    return done.returncode, done.stdout.strip(), done.stderr


# ---------------------------------------------------------------------------------------------- truth


def in_python(seconds: float) -> None:
    until = time.thread_time() + seconds
    total = 0
    while time.thread_time() < until:
        for i in range(200):
            total += i * i


def in_json(seconds: float) -> None:
    until = time.thread_time() + seconds
    document = {"rows": [{"id": i, "name": "x" * 20} for i in range(60)]}
    while time.thread_time() < until:
        json.loads(json.dumps(document))


def in_c_without_the_gil(seconds: float) -> None:
    until = time.thread_time() + seconds
    block = bytes(4_000_000)
    while time.thread_time() < until:
        hashlib.sha256(block)


def in_sleep(seconds: float) -> None:
    time.sleep(seconds)


STEPS = ((in_python, 0.03), (in_sleep, 0.03), (in_json, 0.02), (in_c_without_the_gil, 0.04))
OF = {function.__code__: function.__name__ for function, _ in STEPS}


def test_a_profile_agrees_with_the_truth(traced: Turned, make_sampler: Made) -> None:
    """Sleeping and C included, within three points at a thousand samples; truth is timed inside the worker."""
    sampler = make_sampler(0.004, 0.5)
    tracer, finished = traced(sampler)
    truth: Counter[str] = Counter()
    while sum(len(t.samples) for t in finished) < 1100:
        transaction = tracer.begin("web", "GET /")
        for _ in range(4):
            for function, seconds in STEPS:
                began = time.monotonic_ns()
                function(seconds)
                truth[function.__name__] += time.monotonic_ns() - began
        tracer.end(transaction)
    sampler.close()
    seen: Counter[str] = Counter()
    for transaction in finished:
        for sample in transaction.samples:
            name = next((OF[code] for code in sample.stack[::2] if code in OF), None)
            if name:
                seen[name] += sample.weight_ns
    share = {n: 100 * seen[n] / sum(seen.values()) for n in truth}
    true = {n: 100 * truth[n] / sum(truth.values()) for n in truth}
    assert {n: round(share[n] - true[n], 1) for n in truth if abs(share[n] - true[n]) > 3} == {}, (
        share,
        true,
    )


def test_the_weights_of_a_transaction_sum_to_its_duration_on_average(
    traced: Turned, make_sampler: Made
) -> None:
    sampler = make_sampler(0.01, 0.5)
    tracer, finished = traced(sampler)
    for _ in range(60):
        transaction = tracer.begin("web", "GET /")
        time.sleep(0.025)  # nobody computes: looks come in time
        tracer.end(transaction)
    sampler.close()
    whole = sum(t.duration_ns for t in finished)
    assert 0.85 * whole < sum(s.weight_ns for t in finished for s in t.samples) < 1.15 * whole


def test_what_a_short_transaction_does_first_counts_as_much_as_what_it_does_last(
    traced: Turned, make_sampler: Made
) -> None:
    sampler = make_sampler(0.01, 0.5)
    tracer, finished = traced(sampler)

    def first() -> None:
        time.sleep(0.006)

    def last() -> None:
        time.sleep(0.006)

    for _ in range(250):
        transaction = tracer.begin("web", "GET /")
        first()
        last()
        tracer.end(transaction)
    sampler.close()
    seen: Counter[str] = Counter()
    for transaction in finished:
        for sample in transaction.samples:
            seen.update(
                {c.co_name: sample.weight_ns for c in sample.stack[::2] if c.co_name in ("first", "last")}
            )
    assert 0.38 < seen["first"] / (seen["first"] + seen["last"]) < 0.62


def test_transactions_shorter_than_a_wait_for_the_gil_are_seen(traced: Turned, make_sampler: Made) -> None:
    # None of them gives the GIL up by itself.
    sampler = make_sampler(0.01, 0.5)
    tracer, finished = traced(Memory(), sampler)
    for _ in range(3000):
        transaction = tracer.begin("web", "GET /")
        in_python(0.0005)
        tracer.end(transaction)
    sampler.close()
    samples = [sample for transaction in finished for sample in transaction.samples]
    assert len(samples) >= 0.8 * sum(transaction.duration_ns for transaction in finished) / (10 * MS)
    assert sum(in_python.__code__ in sample.stack for sample in samples) >= 0.9 * len(samples)


# ------------------------------------------------------------------------------------------- manners


def test_the_switch_interval_is_restored(traced: Turned, make_sampler: Made) -> None:
    before = sys.getswitchinterval()
    sampler = make_sampler(0.002, 0.5)
    tracer, finished = traced(sampler)
    transaction = tracer.begin("web", "x")
    in_python(0.1)
    tracer.end(transaction)
    assert finished[0].samples
    sampler.close()
    wait_for(lambda: sampler.stats()["looks"] > 0 and sys.getswitchinterval() == before)


def test_an_application_that_sets_the_switch_interval_keeps_its_own(
    traced: Turned, make_sampler: Made
) -> None:
    before = sys.getswitchinterval()
    sampler = make_sampler(0.02, 0.5)
    tracer, _ = traced(sampler)
    try:
        transaction = tracer.begin("web", "x")
        in_python(0.05)
        sys.setswitchinterval(0.0123)
        in_python(0.1)
        tracer.end(transaction)
        sampler.close()
        wait_for(lambda: sys.getswitchinterval() == pytest.approx(0.0123))
    finally:
        sys.setswitchinterval(before)


def test_once_closed_it_leaves_the_switch_interval_alone(traced: Turned, make_sampler: Made) -> None:
    before = sys.getswitchinterval()
    sampler = make_sampler(0.002, 0.5)
    tracer, finished = traced(sampler)
    transaction = tracer.begin("web", "x")
    in_python(0.05)
    sampler.close()
    wait_for(lambda: sys.getswitchinterval() == before)
    tracer.end(transaction)
    in_python(0.05)  # a look is overdue by now, and nobody will take it
    tracer.end(tracer.begin("web", "late"))
    assert len(finished) == 2
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize("enabled", [True, False])
def test_r01_the_collector_is_left_as_it_was(traced: Turned, enabled: bool, make_sampler: Made) -> None:
    sampler = make_sampler(0.001, 1.0)
    tracer, finished = traced(sampler)
    try:
        (gc.enable if enabled else gc.disable)()
        threshold = gc.get_threshold()
        transaction = tracer.begin("web", "x")
        in_python(0.1)
        tracer.end(transaction)
        sampler.close()
        assert finished[0].samples
        assert (gc.isenabled(), gc.get_threshold()) == (enabled, threshold)
    finally:
        gc.enable()


def test_the_budget_makes_looks_rarer(traced: Turned, make_sampler: Made) -> None:
    sampler = make_sampler(0.001, 0.001)
    tracer, finished = traced(sampler)
    transaction = tracer.begin("web", "x")
    in_python(1.0)
    tracer.end(transaction)
    stats = sampler.stats()
    sampler.close()
    assert stats["interval_ms"] > 5
    assert stats["looks"] < 400
    assert sum(s.weight_ns for s in finished[0].samples) > 0.6 * finished[0].duration_ns, "none less truthful"


def test_stats_say_what_the_health_page_shows(sampler: Sampler) -> None:
    stats = sampler.stats()
    assert set(stats) >= {
        "interval_ms", "achieved_per_s", "cpu_share", "budget", "late_ms_p90", "uncertain_share", "state",
    }  # fmt: skip
    assert stats["state"] == "not started"
    assert stats["late_ms_p90"] is None


def test_r02_a_build_without_the_gil_is_refused_with_words(
    monkeypatch: pytest.MonkeyPatch, make_sampler: Made
) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    sampler = make_sampler(0.001, 1.0)
    threads = threads_of_this_process()
    transaction = Transaction("web", "x", time.monotonic_ns())
    sampler.start(transaction)
    in_python(0.05)
    transaction.end_ns = time.monotonic_ns()
    sampler.stop(transaction)
    assert transaction.samples == []
    assert "GIL" in sampler.stats()["state"]
    assert threads_of_this_process() <= threads


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
        def work():
            t = Transaction("web", "x", time.monotonic_ns())
            sampler.start(t)
            until = time.monotonic() + 1.5
            while time.monotonic() < until: zlib.compress(block, 9)
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


def threads_of_this_process() -> int:
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


def wait_for(what: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def one_transaction(sampler: Sampler, seconds: float = 0.05) -> Transaction:
    transaction = Transaction("web", "x", time.monotonic_ns())
    sampler.start(transaction)
    in_python(seconds)
    transaction.end_ns = time.monotonic_ns()
    transaction.ended = True
    sampler.stop(transaction)
    return transaction


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


def test_r20_nothing_of_a_finished_transaction_is_held(traced: Turned, make_sampler: Made) -> None:
    import weakref

    class Canary:
        pass

    sampler = make_sampler(0.002, 0.5)
    tracer, finished = traced(sampler)

    def view() -> weakref.ref[Canary]:
        canary = Canary()
        in_python(0.1)
        return weakref.ref(canary)

    transaction = tracer.begin("web", "x")
    ref = view()
    tracer.end(transaction)
    assert finished[0].samples
    sampler.close()
    wait_for(lambda: ref() is None)
    assert not attribution.anyone()


@linux
def test_closing_ends_the_thread(make_sampler: Made) -> None:
    before = set(os.listdir("/proc/self/task"))
    sampler = make_sampler(0.002, 0.5)
    one_transaction(sampler)
    (thread,) = set(os.listdir("/proc/self/task")) - before
    sampler.close()
    wait_for(lambda: thread not in os.listdir("/proc/self/task"))
    assert sampler.stats()["state"] == "closed"


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


def test_the_native_primitives_are_the_interpreters_own() -> None:
    assert native.original("time", "sleep") is time.sleep
    assert native.refusal() == ""
    assert not native.at_exit()


def test_samples_are_marked_running_when_nothing_is_in_doubt(sampler: Sampler) -> None:
    transaction = Transaction("web", "x", time.monotonic_ns())
    sampler.start(transaction)
    time.sleep(0.2)
    transaction.end_ns = time.monotonic_ns()
    sampler.stop(transaction)
    assert {s.state for s in transaction.samples} == {RUNNING}
