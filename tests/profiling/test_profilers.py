"""CPU time, resident memory and collections of a transaction."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apm_agent.clock import Clock
from apm_agent.model.transaction import Pause, Transaction
from apm_agent.profiling.cpu import Cpu
from apm_agent.profiling.gc import Collections
from apm_agent.profiling.memory import Memory
from apm_agent.tracing.tracer import Tracer

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
Turned = Callable[..., tuple[Tracer, list[Any]]]


def made() -> Transaction:
    return Transaction("web", "GET /", 1)


# ------------------------------------------------------------------------------------------------ cpu


def test_cpu_time_is_that_of_the_thread_between_begin_and_end() -> None:
    now = [100]
    cpu = Cpu(Clock(cpu=lambda: now[0]))
    transaction = made()
    cpu.start(transaction)
    now[0] = 350
    cpu.stop(transaction)
    assert transaction.cpu_ns == 250


def test_cpu_time_is_unknown_when_it_ends_on_another_thread() -> None:
    cpu, transaction = Cpu(), made()
    cpu.start(transaction)
    thread = threading.Thread(target=cpu.stop, args=(transaction,))
    thread.start()
    thread.join()
    assert transaction.cpu_ns is None


def test_cpu_time_is_unknown_on_an_event_loop() -> None:
    cpu, transaction = Cpu(), made()

    async def main() -> None:
        cpu.start(transaction)
        await asyncio.sleep(0)
        cpu.stop(transaction)

    asyncio.run(main())
    assert transaction.cpu_ns is None


def test_cpu_time_leaves_out_sleep_and_other_threads() -> None:
    cpu, transaction = Cpu(), made()
    stop = threading.Event()

    def other() -> None:
        while not stop.is_set():
            sum(range(100))

    thread = threading.Thread(target=other)
    thread.start()
    before = time.thread_time_ns()
    cpu.start(transaction)
    time.sleep(0.05)
    until = time.thread_time_ns() + 20_000_000
    while time.thread_time_ns() < until:
        pass
    cpu.stop(transaction)
    most = time.thread_time_ns() - before
    stop.set()
    thread.join()
    assert transaction.cpu_ns is not None
    assert 20_000_000 <= transaction.cpu_ns <= most


# --------------------------------------------------------------------------------------------- memory


@linux
def test_memory_kept_is_seen() -> None:
    memory, transaction = Memory(), made()
    memory.start(transaction)
    kept = bytearray(os.urandom(1)) * (32 * 2**20)
    memory.stop(transaction)
    assert transaction.rss_before is not None
    assert transaction.rss_after is not None
    assert 30 * 2**20 < transaction.rss_after - transaction.rss_before < 40 * 2**20
    assert len(kept)


@linux
def test_resident_agrees_with_another_witness() -> None:
    psutil = pytest.importorskip("psutil")
    ours, theirs = Memory().resident(), psutil.Process().memory_info().rss
    assert ours is not None
    assert abs(ours - theirs) < 2 * 2**20


@linux
def test_r01_to_read_it_no_thread_loses_its_turn() -> None:
    memory, turns, over = Memory(), [0], threading.Event()
    memory.resident()  # opens the file

    def impatient() -> None:
        while not over.is_set():
            turns[0] += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(100)  # the other thread runs only when this one gives the GIL up by itself
    thread = threading.Thread(target=impatient)
    try:
        thread.start()
        time.sleep(0.001)
        before = turns[0]
        for _ in range(1000):
            assert memory.resident()
        assert turns[0] == before
    finally:
        sys.setswitchinterval(interval)
        over.set()
        thread.join()


def test_overlap_counts_every_other_transaction_open_meanwhile() -> None:
    memory = Memory()
    a, b, c, d = (made() for _ in range(4))
    memory.start(a)
    memory.start(b)
    memory.stop(a)  # a met b
    memory.start(c)
    memory.stop(c)  # c met b
    memory.stop(b)  # b met a and c
    memory.start(d)
    memory.stop(d)  # d met nobody
    assert [t.overlap for t in (a, b, c, d)] == [1, 2, 1, 0]


def test_overlap_is_exact_under_threads() -> None:
    memory = Memory()
    together = threading.Barrier(8)
    transactions = [made() for _ in range(8)]

    def work(mine: Transaction) -> None:
        for _ in range(200):
            lonely = made()
            memory.start(lonely)
            memory.stop(lonely)
        memory.start(mine)
        together.wait()  # all eight are open now
        memory.stop(mine)

    threads = [threading.Thread(target=work, args=(t,)) for t in transactions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(t.overlap >= 7 for t in transactions)
    last = made()
    memory.start(last)
    memory.stop(last)
    assert last.overlap == 0, "nothing was lost in counting"


@linux
@pytest.mark.parametrize("hook", [True, False])
def test_r05_a_forked_child_reads_its_own_memory(hook: bool) -> None:
    code = (
        "import os, sys\n"
        "from apm_agent.profiling.memory import Memory\n"
        "memory = Memory()\n"
        "held = bytearray(b'x') * (64 << 20)\n"
        "before = memory.resident()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        f"    if {hook}: memory.after_fork()\n"
        "    held = None\n"
        "    grown = bytearray(b'y') * (200 << 20)\n"
        "    os._exit(0 if memory.resident() > before + (100 << 20) else 4)\n"
        "print(os.waitpid(pid, 0)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("0", "")


@linux
def test_r05_threads_of_a_forked_child_close_the_parents_file_once() -> None:
    code = (
        "import os, sys, threading\n"
        "from apm_agent.profiling.memory import Memory\n"
        "sys.setswitchinterval(1e-6)\n"
        "failed = []\n"
        "def ask():\n"
        "    together.wait()\n"
        "    try: memory.resident()\n"
        "    except BaseException as error: failed.append(error)\n"
        "for _ in range(40):\n"
        "    memory = Memory()\n"
        "    assert memory.resident()\n"
        "    if not (pid := os.fork()):\n"
        "        together = threading.Barrier(8)\n"
        "        threads = [threading.Thread(target=ask) for _ in range(8)]\n"
        "        for each in threads: each.start()\n"
        "        for each in threads: each.join()\n"
        "        os._exit(len(failed) if memory.resident() else 9)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@linux
def test_closed_it_holds_no_file_and_reads_nothing() -> None:
    memory, transaction = Memory(), made()
    assert memory.resident()
    held = len(os.listdir("/proc/self/fd"))
    memory.close()
    assert len(os.listdir("/proc/self/fd")) == held - 1
    memory.start(transaction)
    memory.stop(transaction)
    assert (transaction.rss_before, transaction.rss_after) == (None, None)


@linux
def test_a_daemon_that_closes_all_descriptors_is_survived() -> None:
    code = (
        "import os\n"
        "from apm_agent.profiling.memory import Memory\n"
        "memory = Memory()\n"
        "assert memory.resident()\n"
        "os.closerange(3, 100)\n"
        "assert memory.resident() is None\n"
        "assert memory.resident()\n"
        "os.closerange(3, 100)\n"
        "other = [open('/etc/hostname') for _ in range(5)]\n"
        "assert memory.resident() is None, 'the number is another file by now'\n"
        "assert memory.resident()\n"
        "assert all(o.read() for o in other), 'which was not closed'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ----------------------------------------------------------------------------------------- collections


@pytest.fixture
def collections() -> Iterator[Collections]:
    now = iter(range(0, 10**9, 5))
    made = Collections(Clock(monotonic=lambda: next(now)))
    made.hook()
    was = gc.isenabled()
    gc.disable()
    yield made
    made.unhook()
    if was:
        gc.enable()


def test_a_collection_is_charged_to_the_transaction_whose_thread_did_it(
    collections: Collections, traced: Turned
) -> None:
    tracer, finished = traced(collections)
    gc.collect(1)
    transaction = tracer.begin("web", "x")
    gc.collect(2)
    gc.collect(0)
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join()
    tracer.end(transaction)
    gc.collect()
    pauses = finished[0].gc_pauses
    assert pauses is not None
    assert [(p.duration_ns, p.generation) for p in pauses] == [(5, 2), (5, 0)]
    assert isinstance(pauses[0], Pause)


def test_a_hooked_collector_is_let_go_whole() -> None:
    before = list(gc.callbacks)
    collections = Collections()
    collections.hook()
    collections.hook()
    assert len(gc.callbacks) == len(before) + 1
    collections.unhook()
    collections.unhook()
    assert gc.callbacks == before


def test_a_transaction_keeps_a_bounded_number_of_pauses(collections: Collections, traced: Turned) -> None:
    tracer, finished = traced(collections)
    transaction = tracer.begin("web", "x")
    for _ in range(600):
        gc.collect(0)
    tracer.end(transaction)
    assert len(finished[0].gc_pauses) == 500


def test_hooking_while_a_collection_runs_charges_nothing(traced: Turned) -> None:
    collections = Collections()
    tracer, finished = traced(collections)
    transaction = tracer.begin("web", "x")
    collections.collected("stop", {"generation": 2})
    tracer.end(transaction)
    assert finished[0].gc_pauses is None
