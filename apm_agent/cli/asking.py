"""Asks the processes of a store what they have in flight, for as long as a command wants to know."""

from __future__ import annotations

import time

from apm_agent.model import live as shape
from apm_agent.queries import live

#: Seconds within which a process that has something in flight answers: it looks once a second, and answers
#: a tenth of a second after it saw that somebody asks.
ANSWERED = shape.EACH + 0.5
_AGAIN = 2.0


class Asking:
    """`renew()` as often as you like; it asks again when the last asking is about to lapse."""

    def __init__(self, store_path: str) -> None:
        self._path = store_path
        self._asked = float("-inf")
        self.renew()

    def renew(self) -> None:
        """Ask, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._asked > _AGAIN:
            live.ask(self._path)
            self._asked = now

    def wait(self, seconds: float) -> None:
        """Let time pass and go on asking."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.renew()
            time.sleep(min(left, 0.5))
