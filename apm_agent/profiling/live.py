"""Tells what is in flight while somebody asks, on the sampler's thread: awake exactly when there is anything to tell.

While nobody asks this is one `stat` a second of a file that is not there or is old. Who asks, and where the answer
lies, is told in `model.live`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from os import getpid
from typing import Any, NamedTuple

from apm_agent.clock import Clock, system
from apm_agent.errors import StoreError
from apm_agent.model import live, seconds
from apm_agent.model.live import Told
from apm_agent.model.origin import Origin
from apm_agent.profiling.flights import Flights
from apm_agent.profiling.heard import Heard
from apm_agent.profiling.seconds import Capture

_EACH_NS = int(live.EACH * 1e9)
#: The first answer comes this much after the asking was seen: time to tell who computes from who waits.
_FIRST_NS = 100_000_000


class Whose(NamedTuple):
    """Which process tells, and beside which store."""

    store_path: str
    service: str
    host: str


def _nothing() -> None:
    return None


class Live:
    """`look` is called at every look of the sampler; `hear` is how samples are heard of while somebody asks.

    `prepare` makes the store's folder: who asks while the very first request hangs must find it.
    """

    def __init__(
        self,
        whose: Whose,
        origin: Origin,
        hear: Callable[[list[Any] | None], None],
        clock: Clock = system,
        wall: Callable[[], float] = time.time,
        *,
        prepare: Callable[[], None] = _nothing,
    ) -> None:
        self._whose = whose
        self._folder = live.folder_of(whose.store_path)
        self._asked = live.asked_of(self._folder)
        self._capture_asked = seconds.asked_of(self._folder)
        self._origin = origin
        self._hear = hear
        self._prepare = prepare
        self._prepared = False
        self._clock = clock
        self._wall = wall
        self.after_fork()

    def after_fork(self) -> None:
        """In the child nobody has asked yet; the file is the parent's."""
        self._pid = getpid()
        self._due_ns = 0
        self._file = ""
        self._shows = False
        self._flights = Flights(self._origin, self._clock.monotonic)
        self._heard: Heard | None = None
        #: when the last capture that was looked at was asked for
        self._captured_at = 0
        self._since = 0.0
        self._cost_ns = 0
        self._hear(None)

    def look(self, busy: bool) -> int:
        """Tell if it is time and somebody asks, or if nothing of what was told is in flight any more; its cost in ns.

        Called at every look, so most calls end at the first line.
        """
        now = self._clock.monotonic()
        if now < self._due_ns if busy else not (self._shows or self._untold()):
            return 0
        if getpid() != self._pid:
            self.after_fork()
        cpu = self._clock.cpu
        begun = cpu()
        try:
            self._due_ns = now + _EACH_NS
            if not self._prepared:
                self._prepared = True
                with contextlib.suppress(StoreError):  # the writer will say so
                    self._prepare()
            self._answer(now)
        finally:
            cost = cpu() - begun
            self._cost_ns += cost
        return cost

    def close(self) -> None:
        """Tell no more."""
        self._hear(None)
        self._take_back()

    def _answer(self, now: int) -> None:
        if not self._is_asked():
            if self._heard is not None:
                self._heard = None
                self._hear(None)
                self._take_back()
            return
        if self._heard is None:
            self._heard = Heard(self._origin)
            self._hear(self._heard.samples)
            self._since, self._cost_ns = self._wall(), 0
            self._flights.note()
            self._due_ns = now + _FIRST_NS
            return
        self._heard.count()
        self._tell(self._heard)
        self._capture(self._heard, now)

    def _untold(self) -> bool:
        """Whether a capture lacks what was sampled last: nothing may come after it to tell of it."""
        heard = self._heard
        return heard is not None and heard.capture is not None and bool(heard.samples)

    def _capture(self, heard: Heard, now: int) -> None:
        """Tell what was sampled of the capture that runs, and begin one that is asked for."""
        running = heard.capture
        if running is not None:
            over = now >= running.until_ns
            self._put_captured(running, over)
            if over:
                heard.capture = None
        if heard.capture is None and (asked := self._capture_wanted()) is not None:
            heard.capture = Capture(asked, now)
            self._put_captured(heard.capture, False)
        if heard.capture is not None:
            self._due_ns = min(self._due_ns, heard.capture.until_ns)

    def _capture_wanted(self) -> seconds.Asked | None:
        """What was asked for lately, once: one `stat` a second while somebody looks."""
        try:
            at = os.stat(self._capture_asked).st_mtime_ns
        except OSError:
            return None
        if at == self._captured_at:
            return None
        self._captured_at = at
        return seconds.read_asked(self._folder) if live.is_asked(at / 1e9, self._wall()) else None

    def _put_captured(self, capture: Capture, done: bool) -> None:
        whose = self._whose
        told = capture.told(os.path.basename(whose.store_path), whose.service, whose.host, self._pid, done)
        _put(seconds.file_of(self._folder, whose.host, self._pid), seconds.to_text(told).encode())

    def _is_asked(self) -> bool:
        try:
            asked_at = os.stat(self._asked).st_mtime
        except OSError:
            return False
        return live.is_asked(asked_at, self._wall())

    def _tell(self, heard: Heard) -> None:
        self._shows = False
        trouble = live.trouble_with(self._folder)
        if trouble:
            raise StoreError(f"what is in flight is not told: {trouble}. Remove it, and it is made anew")
        flights, more = self._flights.look()
        told = Told(
            os.path.basename(self._whose.store_path), self._whose.service, self._whose.host, self._pid,
            self._wall(), self._since, heard.sampled_ns, self._cost_ns, tuple(flights), more, heard.functions(),
        )  # fmt: skip
        self._file = live.file_of(self._folder, self._whose.host, self._pid)
        _put(self._file, live.to_text(told).encode())
        self._shows = bool(flights)

    def _take_back(self) -> None:
        path, self._file, self._shows = self._file, "", False
        if path and getpid() == self._pid:
            with contextlib.suppress(OSError):  # whoever asked has swept it away
                os.unlink(path)


def _put(path: str, data: bytes) -> None:
    """The whole file at once, or none of it."""
    new = f"{path}.new"
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(new, flags, 0o600), "wb") as file:
        file.write(data)
    os.replace(new, path)
