"""Reads the process's resident memory before and after a transaction, and counts who else was open meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable

from apm_agent.model.forked import claim
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.reading import filler

_PATH = "/proc/self/statm"
_LONGEST = 128
#: no file begins like this
_UNKNOWN: tuple[bytes, int | None] = (b"unread", None)


def _nothing() -> int:
    return 0


class Memory:
    """Resident bytes from a descriptor kept open, which is 14 times cheaper than opening the file each time.

    Unknown where there is no `/proc`: what other systems offer cheaply is the peak, which only ever grows.
    """

    __slots__ = ("_buffer", "_ended", "_files", "_fill", "_last", "_opened", "_ours", "_page")

    def __init__(self) -> None:
        self._page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
        self._opened = 0
        self._ended = 0
        #: /proc/self was looked up when the file was opened: in a forked child the descriptor tells of its parent
        self._ours = claim()
        #: one, unless threads opened at once; taken out by who closes it, for else two might
        self._files: list[int] = []
        #: reads the file into `_buffer`; nothing while there is none
        self._fill: Callable[[], int] = _nothing
        self._buffer = bytearray(_LONGEST)
        #: the line read last and what it says, kept as one so that threads see them together
        self._last = _UNKNOWN

    def start(self, transaction: Transaction) -> None:
        """Note resident bytes, and how many have ended so far."""
        # Who overlaps it: all that opened before it ends, but those that ended before it opened. `+=` on an
        # attribute is whole under the GIL: nothing in it lets another thread in.
        transaction.overlap = -1 - self._ended
        self._opened += 1
        if not self._ours[0]:
            self._open()
        # What `_read` does, where most transactions need no more of it: no call of ours around that of the system.
        length, last = self._fill(), self._last
        transaction.rss_before = (
            last[1] if length > 0 and self._buffer.startswith(last[0]) else self._parse(length)
        )

    def stop(self, transaction: Transaction) -> None:
        """Note resident bytes again, and how many overlapped."""
        length, last = self._fill(), self._last
        transaction.rss_after = (
            last[1] if length > 0 and self._buffer.startswith(last[0]) else self._parse(length)
        )
        transaction.overlap += self._opened
        self._ended += 1

    def resident(self) -> int | None:
        """Resident bytes of this process now; None where the system does not say."""
        if not self._ours[0]:
            self._open()
        return self._read()

    def _read(self) -> int | None:
        length, (said, size) = self._fill(), self._last
        # Most transactions leave it as it was. Another thread may fill it between these lines: then it says what is
        # true even later. A line that begins like another is the other, for both end with their only newline.
        return size if length > 0 and self._buffer.startswith(said) else self._parse(length)

    def _parse(self, length: int) -> int | None:
        try:
            text = bytes(self._buffer[: max(length, 0)])
            size = int(text.split(b" ", 2)[1]) * self._page
        except (ValueError, IndexError):
            # Daemons close every descriptor they did not open; the number may be another file by now.
            self._let_go()
            self._ours[0] = 0
            return None
        self._last = (text, size)
        return size

    def after_fork(self) -> None:
        """Open the child's own file when next asked."""
        self._ended = self._opened  # the parent's transactions do not end here
        self._ours[0] = 0

    def close(self) -> None:
        """Read no more."""
        self._let_go()
        while self._files:
            try:
                file = self._files.pop()
            except IndexError:  # another thread was faster
                return
            if self._is_ours(file):
                os.close(file)

    def _open(self) -> None:
        self._let_go()  # first of all: what is open may be the parent's
        self._ours[0] = 1
        self.close()
        if os.path.exists(_PATH):
            file = os.open(_PATH, os.O_RDONLY | os.O_CLOEXEC)
            self._files.append(file)
            # A buffer that C reads into must not be another's: a thread may still be reading the file before.
            self._buffer = bytearray(_LONGEST)
            self._fill = filler(file, self._buffer)

    def _let_go(self) -> None:
        self._fill, self._last = _nothing, _UNKNOWN

    @staticmethod
    def _is_ours(descriptor: int) -> bool:
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}").endswith("/statm")
        except OSError:
            return False
