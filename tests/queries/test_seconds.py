"""A capture of the next seconds, as the page asks for it: one at a time, read when all have told."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apm_agent.errors import QuestionError, StoreError
from apm_agent.model import live as shape
from apm_agent.model import seconds as told
from apm_agent.model.profile import Frame
from apm_agent.model.seconds import Asked, Captured, Seen
from apm_agent.queries import seconds

VIEW, PRICE = (Frame(name, "shop.py", line, "app", "") for name, line in (("orders", 7), ("price", 21)))
MS = 1_000_000
Telling = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "apm.db"


@pytest.fixture
def tell(store: Path) -> Telling:
    """Lay down what a process captured."""

    def lay(asked: Asked, pid: int, stacks: tuple[Seen, ...], **fields: Any) -> Path:
        made: dict[str, Any] = {
            "id": asked.id, "store": "apm.db", "service": "shop", "host": "web-1", "pid": pid, "done": True,
            "stacks": stacks,
        }  # fmt: skip
        file = Path(told.file_of(shape.folder_of(str(store)), "web-1", pid))
        file.write_text(told.to_text(Captured(**made | fields)))
        return file

    return lay


def age(store: Path, asked: Asked, by: float) -> None:
    """As if it had been asked for so long ago."""
    file = Path(told.asked_of(shape.folder_of(str(store))))
    file.write_text(told.to_ask(asked._replace(at=time.time() - by)))


def test_all_processes_together_once_all_have_told(store: Path, tell: Telling) -> None:
    asked = seconds.ask(str(store), 5)
    tell(asked, 1, (Seen((VIEW, PRICE), 30 * MS, 3), Seen((VIEW,), 10 * MS, 1)))
    tell(asked, 2, (Seen((VIEW, PRICE), 20 * MS, 2),), done=False)
    age(store, asked, 5.5)
    found = seconds.captured(str(store), asked.id)
    assert (found["done"], found["profile"], found["seconds"]) == (False, None, 5.0)
    assert [(each["pid"], each["samples"], each["sampled_ms"]) for each in found["processes"]] == [
        (1, 4, 40.0),
        (2, 2, 20.0),
    ]
    tell(asked, 2, (Seen((VIEW, PRICE), 20 * MS, 2),))
    profile = seconds.captured(str(store), asked.id)["profile"]
    assert profile["frames"]["function"] == ["orders", "price"]
    assert profile["nodes"]["total_ns"] == [60 * MS, 60 * MS, 50 * MS]
    assert profile["nodes"]["own_ns"] == [0, 10 * MS, 50 * MS]
    assert profile["count"] == 6


def test_a_process_that_fell_silent_is_waited_for_no_longer_than_the_grace(
    store: Path, tell: Telling
) -> None:
    asked = seconds.ask(str(store), 5)
    tell(asked, 1, (Seen((VIEW,), 10 * MS, 1),), done=False)
    age(store, asked, 5 + told.GRACE + 0.1)
    assert seconds.captured(str(store), asked.id)["done"]


def test_nothing_was_sampled(store: Path) -> None:
    asked = seconds.ask(str(store), 1)
    assert not seconds.captured(str(store), asked.id)["done"]
    age(store, asked, 1 + told.GRACE)
    found = seconds.captured(str(store), asked.id)
    assert (found["done"], found["processes"], found["profile"]["count"]) == (True, [], 0)


def test_another_capture_takes_its_place_and_says_so(store: Path, tell: Telling) -> None:
    first = seconds.ask(str(store), 5)
    file = tell(first, 1, (Seen((VIEW,), 10 * MS, 1),))
    second = seconds.ask(str(store), 5)
    assert seconds.captured(str(store), first.id)["done"]
    assert seconds.captured(str(store), second.id)["processes"] == []
    file.unlink()
    with pytest.raises(seconds.ForgottenError, match="is not there any more"):
        seconds.captured(str(store), first.id)


def test_what_is_of_another_store_is_left_out(store: Path, tell: Telling) -> None:
    asked = seconds.ask(str(store), 5)
    tell(asked, 1, (Seen((VIEW,), 10 * MS, 1),), store="other.db")
    assert seconds.captured(str(store), asked.id)["processes"] == []


def test_what_was_captured_long_ago_is_swept(store: Path, tell: Telling) -> None:
    asked = seconds.ask(str(store), 5)
    old, fresh = (tell(asked, pid, ()) for pid in (1, 2))
    os.utime(old, (1, 1))
    seconds.ask(str(store), 5)
    assert (old.exists(), fresh.exists()) == (False, True)


@pytest.mark.parametrize("length", [0.5, 31, float("nan")])
def test_r39_a_length_there_is_not(length: float, store: Path) -> None:
    with pytest.raises(QuestionError, match="is not a number of seconds from 1 to 30"):
        seconds.ask(str(store), length)
    assert not (store.parent / "live").exists()


def test_the_asking_is_private_and_a_link_is_not_followed(store: Path) -> None:
    seconds.ask(str(store), 5)
    folder = store.parent / "live"
    assert stat.S_IMODE((folder / "capture").stat().st_mode) == 0o600
    (folder / "capture.new").symlink_to(store.parent / "elsewhere")
    with pytest.raises(StoreError, match="cannot ask for a profile"):
        seconds.ask(str(store), 5)
    assert not (store.parent / "elsewhere").exists()


@pytest.mark.parametrize("said", ["", "[]", "null", '{"v": 1}', '{"v": 2, "id": "00000000000000aa"}'])
def test_r40_a_file_that_makes_no_sense_is_none(said: str, store: Path, tell: Telling) -> None:
    asked = seconds.ask(str(store), 5)
    tell(asked, 1, ()).write_text(said)
    assert seconds.captured(str(store), asked.id)["processes"] == []
