"""One process that tells what it has in flight, its clock moved by hand, and what it told."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.clock import Clock
from apm_agent.model import live as shape
from apm_agent.model.live import Flight, Told
from apm_agent.model.origin import Origin
from apm_agent.profiling import attribution
from apm_agent.profiling.live import Live, Whose
from apm_agent.tracing.tracer import Tracer
from hand import Hand

SECOND = 10**9
Turned = Callable[..., tuple[Tracer, list[Any]]]


class Attributed:
    """The one profiler these tests need: who works for what."""

    start = staticmethod(attribution.begin)
    stop = staticmethod(attribution.end)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "apm.db"


@pytest.fixture
def asked(store: Path) -> Path:
    folder = store.parent / "live"
    folder.mkdir(mode=0o700)
    file = folder / "asked"
    file.touch(mode=0o600)
    return file


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def telling(store: Path, hand: Hand) -> Live:
    return make(store, hand)


def make(store: Path, hand: Hand) -> Live:
    return Live(Whose(str(store), "shop", "here"), Origin(), lambda samples: None, Clock(hand))


@pytest.fixture
def at_work(traced: Turned) -> Iterator[Tracer]:
    yield traced(Attributed)[0]
    attribution.forget()


def told(store: Path) -> Told | None:
    return shape.read(shape.file_of(shape.folder_of(str(store)), "here", os.getpid()))


def tell(telling: Live, hand: Hand, store: Path) -> Told:
    """The asking is seen, and answered a moment later."""
    telling.look(True)
    hand.move(SECOND)
    telling.look(True)
    found = told(store)
    assert found is not None
    return found


def flight_in(thread: Callable[[threading.Event, threading.Event], None], look: Callable[[], Told]) -> Told:
    """What is told while `thread` is between its two events."""
    ready, done = threading.Event(), threading.Event()
    worker = threading.Thread(target=thread, args=(ready, done), name="worker-7")
    worker.start()
    try:
        assert ready.wait(10)
        return look()
    finally:
        done.set()
        worker.join()


def stuck_at(flight: Flight, function: str) -> int:
    return next(f.line for f in reversed(flight.places[0].stack) if f.function.endswith(function))


def line_of(function: Any, mark: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(at for at, line in enumerate(lines) if mark in line)
