"""A capture of some seconds: the stacks that were sampled in them, and no others."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from apm_agent.clock import Clock
from apm_agent.model import live as shape
from apm_agent.model import seconds
from apm_agent.model.origin import Origin
from apm_agent.model.profile import Frame
from apm_agent.profiling.live import Live, Whose
from apm_agent.profiling.seconds import Capture
from computing import in_python
from hand import Hand
from telling import SECOND


def ask_for(store: Path, length: float, name: str = "00000000000000aa") -> None:
    folder = shape.folder_of(str(store))
    Path(seconds.asked_of(folder)).write_text(seconds.to_ask(seconds.Asked(name, length, time.time())))


def captured(store: Path) -> seconds.Captured | None:
    return seconds.read(seconds.file_of(shape.folder_of(str(store)), "here", os.getpid()))


def hearing(store: Path, hand: Hand) -> tuple[Live, list[Any]]:
    """A telling whose samples are put there by hand."""
    heard: list[Any] = []

    def hear(samples: list[Any] | None) -> None:
        heard[:] = [samples]

    return Live(Whose(str(store), "shop", "here"), Origin(), hear, Clock(hand)), heard


def test_a_capture_holds_the_stacks_of_its_seconds_alone(store: Path, asked: Path, hand: Hand) -> None:
    telling, heard = hearing(store, hand)
    key = (in_python.__code__, 0)
    telling.look(True)
    hand.move(SECOND)
    heard[0].append((key, 7))  # before it is asked for
    ask_for(store, 2)
    telling.look(True)
    begun = captured(store)
    assert begun is not None
    assert (begun.id, begun.done, begun.stacks) == ("00000000000000aa", False, ())
    for weight in (10, 20):
        heard[0].append((key, weight))
        hand.move(SECOND)
        telling.look(True)
    done = captured(store)
    assert done is not None
    (seen,) = done.stacks
    assert (seen.ns, seen.samples, done.done, done.service) == (30, 2, True, "shop")
    assert seen.stack[-1].function == "in_python"
    heard[0].append((key, 40))  # after it
    hand.move(SECOND)
    telling.look(True)
    assert captured(store) == done


def test_what_was_sampled_last_is_told_before_the_sampler_sleeps(
    store: Path, asked: Path, hand: Hand
) -> None:
    telling, heard = hearing(store, hand)
    telling.look(True)
    hand.move(SECOND)
    ask_for(store, 5)
    telling.look(True)
    heard[0].append(((in_python.__code__, 0), 10))
    telling.look(False)
    found = captured(store)
    assert found is not None
    assert [seen.ns for seen in found.stacks] == [10]
    before = os.stat(seconds.file_of(shape.folder_of(str(store)), "here", os.getpid())).st_mtime_ns
    telling.look(False)
    assert os.stat(seconds.file_of(shape.folder_of(str(store)), "here", os.getpid())).st_mtime_ns == before


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "{}",
        '{"id": "x", "seconds": 5, "at": 1}',
        '{"id": "00000000000000aa", "seconds": 900, "at": 1}',
    ],
)
def test_r40_an_asking_that_makes_no_sense_is_none(said: str, store: Path, asked: Path, hand: Hand) -> None:
    telling, _ = hearing(store, hand)
    telling.look(True)
    hand.move(SECOND)
    Path(seconds.asked_of(str(asked.parent))).write_text(said)
    telling.look(True)
    assert captured(store) is None


def test_an_old_asking_captures_nothing(store: Path, asked: Path, hand: Hand) -> None:
    telling, _ = hearing(store, hand)
    telling.look(True)
    hand.move(SECOND)
    ask_for(store, 5)
    os.utime(seconds.asked_of(str(asked.parent)), (1, 1))
    telling.look(True)
    assert captured(store) is None


def test_stacks_past_the_most_stand_under_one_name() -> None:
    capture = Capture(seconds.Asked("00000000000000aa", 5, 0), 0)
    for line in range(seconds.MOST_STACKS + 3):
        capture.add((Frame("f", "x.py", line, "app", ""),), 1)
    told = capture.told("apm.db", "shop", "here", 1, True)
    assert len(told.stacks) == seconds.MOST_STACKS + 1
    assert {seen.stack: (seen.ns, seen.samples) for seen in told.stacks}[seconds.OTHER] == (3, 3)
