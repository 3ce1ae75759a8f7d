"""How much is deleted in one hold of the file: so little that nobody waits for it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from apm_agent.clock import Clock
from apm_agent.store.exclusive import LOOKS, exclusive

#: Nanoseconds a hold should take. It takes longer where the machine gives the processor to others meanwhile, and the
#: shorter it is the less often that happens.
_SHOULD = 5 * 10**6


class Hold:
    """So many rows or pages at a time: at most half as many after a hold that was long, at most twice as many after
    one that was short, and never more than `most`, however fast the machine seems.
    """

    def __init__(self, fewest: int, most: int, clock: Clock) -> None:
        self._fewest, self._most, self._clock = fewest, most, clock
        self._since = 0
        #: what the next hold may do
        self.size = max(fewest, most // 4)

    @contextmanager
    def hold(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Hold the file; after so long, in one hold or several, everybody who waits for it is let in."""
        with exclusive(connection):
            begun = self._clock.monotonic()
            yield
        held = self._clock.monotonic() - begun
        wanted = self.size * _SHOULD // max(held, 1)
        self.size = max(self._fewest, min(self._most, max(self.size // 2, min(wanted, 2 * self.size))))
        self._since += held
        if self._since >= _SHOULD:
            self._since = 0
            time.sleep(LOOKS)
