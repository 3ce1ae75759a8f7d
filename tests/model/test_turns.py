"""The switch interval: lowered while somebody wishes, and the application's own in the end, whoever sets it when."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from apm_agent.model.turns import AMONG, LATER, SOON, Turns

OWN = 0.005


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(OWN)
    yield
    sys.setswitchinterval(before)


def now() -> float:
    return round(sys.getswitchinterval(), 6)


def test_the_shortest_wish_holds_until_the_last_is_done() -> None:
    turns = Turns()
    turns.wish("writer", LATER)
    assert now() == LATER
    turns.wish("sampler", SOON)
    assert now() == SOON
    turns.wish("sampler", LATER)
    turns.done("writer")
    assert now() == LATER
    turns.done("sampler")
    turns.done("sampler")
    assert now() == OWN


def test_r01_what_the_application_sets_meanwhile_is_kept() -> None:
    turns = Turns()
    turns.wish("sampler", SOON)
    sys.setswitchinterval(0.02)
    turns.done("sampler")
    assert now() == 0.02
    turns.wish("sampler", SOON)
    sys.setswitchinterval(0.03)
    turns.wish("sampler", LATER)
    assert now() == LATER
    turns.done("sampler")
    assert now() == 0.03


@pytest.mark.parametrize("own", [0.00005, 0.0011, 0.0123, 0.07])
def test_nothing_is_lost_in_putting_it_back(own: float) -> None:
    turns = Turns()
    sys.setswitchinterval(own)
    before = sys.getswitchinterval()
    for _ in range(10):
        turns.wish("sampler", LATER)
        turns.wish("sampler", SOON)
        turns.done("sampler")
    assert sys.getswitchinterval() == before


def test_a_shorter_one_of_the_application_is_left() -> None:
    turns = Turns()
    sys.setswitchinterval(0.00005)
    turns.wish("sampler", SOON)
    turns.wish("writer", LATER)
    assert now() == 0.00005
    turns.done("writer")
    turns.done("sampler")
    assert now() == 0.00005


@pytest.mark.parametrize("meanwhile", [SOON, AMONG])
@pytest.mark.parametrize(("own", "held"), [(None, LATER), (0.02, LATER), (0.00005, 0.00005)])
def test_after_a_sleep_nobody_asks_for_the_gil_at_once(
    own: float | None, held: float, meanwhile: float
) -> None:
    turns, seen = Turns(), []
    met: list[object] = []

    def sleep(seconds: float) -> None:
        seen.append((seconds, now()))
        met.extend(gc.get_objects())  # as a look for what grew does in another thread
        if own is not None:
            sys.setswitchinterval(own)  # the application's, which comes to it meanwhile

    turns.sleep("sampler", 0.25, sleep, meanwhile)
    assert seen == [(0.25, meanwhile)]
    assert now() == held
    turns.done("sampler")
    assert now() == (own or OWN)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_r05_a_child_has_no_wishes() -> None:
    turns = Turns()
    turns.wish("sampler", SOON)
    pid = os.fork()
    if not pid:
        turns.after_fork()
        os._exit(0 if now() == OWN else 1)
    assert os.waitpid(pid, 0)[1] == 0
    turns.done("sampler")
    assert now() == OWN


def test_threads_that_wish_at_once_leave_nothing_behind() -> None:
    turns, together = Turns(), threading.Barrier(4)

    def wisher(who: str) -> None:
        together.wait()
        for _ in range(3000):
            turns.wish(who, SOON)
            turns.wish(who, LATER)
            turns.done(who)

    threads = [threading.Thread(target=wisher, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert now() == OWN
