"""Who may ask what is in flight: it is told to whoever asks, to nobody otherwise, and never a moment too long."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from apm_agent.errors import StoreError
from apm_agent.model import live as shape
from apm_agent.profiling import attribution
from apm_agent.profiling.live import Live
from apm_agent.tracing.tracer import Tracer
from hand import Hand
from telling import SECOND, tell, told


def test_nobody_asked(store: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    transaction = at_work.begin("web", "GET /")
    for _ in range(5):
        telling.look(True)
        hand.move(SECOND)
    at_work.end(transaction)
    assert list(store.parent.iterdir()) == []


def test_an_old_asking_is_none(store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    then = time.time() - 6
    os.utime(asked, (then, then))
    transaction = at_work.begin("web", "GET /")
    telling.look(True)
    hand.move(SECOND)
    telling.look(True)
    at_work.end(transaction)
    assert told(store) is None


def test_r42_an_asking_from_a_stepped_clock_is_none(
    store: Path, asked: Path, telling: Live, hand: Hand
) -> None:
    then = time.time() + 3600
    os.utime(asked, (then, then))
    telling.look(True)
    hand.move(SECOND)
    telling.look(True)
    assert told(store) is None


def test_it_is_told_once_a_second_and_no_more_when_nobody_asks(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    transaction = at_work.begin("web", "GET /")
    first = tell(telling, hand, store)
    hand.move(SECOND // 2)
    assert telling.look(True) == 0
    hand.move(SECOND // 2)
    telling.look(True)
    again = told(store)
    assert again is not None
    assert again.written > first.written
    os.utime(asked, (1, 1))
    hand.move(SECOND)
    telling.look(True)
    at_work.end(transaction)
    assert told(store) is None


def test_what_has_ended_is_taken_back_at_once(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    transaction = at_work.begin("web", "GET /")
    assert len(tell(telling, hand, store).flights) == 1
    at_work.end(transaction)
    telling.look(False)  # no second has passed
    after = told(store)
    assert after is not None
    assert after.flights == ()


def test_the_file_is_private(store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer) -> None:
    transaction = at_work.begin("web", "GET /")
    tell(telling, hand, store)
    at_work.end(transaction)
    made = {file.name: stat.S_IMODE(file.stat().st_mode) for file in asked.parent.iterdir()}
    assert made[f"here-{os.getpid()}.json"] == 0o600
    assert not [name for name in made if name.endswith(".new")]


@pytest.mark.parametrize("how", ["open to others", "a link"])
def test_a_folder_others_could_read_along_in_is_refused(
    how: str, store: Path, asked: Path, telling: Live, hand: Hand
) -> None:
    folder = asked.parent
    if how == "a link":
        elsewhere = store.parent / "elsewhere"
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
    else:
        folder.chmod(0o777)
    telling.look(True)
    hand.move(SECOND)
    with pytest.raises(StoreError, match="live"):
        telling.look(True)
    assert told(store) is None


def test_r04_a_forked_child_tells_for_itself(
    store: Path, asked: Path, telling: Live, hand: Hand, at_work: Tracer
) -> None:
    transaction = at_work.begin("web", "GET /")
    tell(telling, hand, store)
    mine = Path(shape.file_of(shape.folder_of(str(store)), "here", os.getpid()))
    before = mine.read_bytes()
    child = os.fork()
    if child == 0:
        try:
            attribution.forget()
            telling.look(False)
            telling.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    at_work.end(transaction)
    assert mine.read_bytes() == before
