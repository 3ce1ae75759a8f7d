"""Ends programs whose starter was killed: a process of its own that waits for a pipe to close.

A starter that gets SIGKILL can end nobody any more. The system closes its files though, and who reads from one of them
hears of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

_FAREWELL = 3.0


class Warden:
    """Knows process groups by number, and ends them when this process is gone without a word."""

    def __init__(self) -> None:
        command = [sys.executable, "-S", "-E", __file__]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """End this group too."""
        self._say(group)

    def dismiss(self) -> None:
        """All is ended; nothing is left to do."""
        self._say(0)
        with contextlib.suppress(OSError):
            self._process.communicate(timeout=_FAREWELL)

    def _say(self, number: int) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it was killed itself: then nobody watches
            self._process.stdin.write(b"%d\n" % number)
            self._process.stdin.flush()


def main() -> None:
    """Read groups until the starter is gone; end them unless a 0 said that it is done."""
    groups = [int(line) for line in sys.stdin.buffer]
    if 0 in groups:
        return
    for signum in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            with contextlib.suppress(OSError):
                os.killpg(group, signum)
        if signum == signal.SIGTERM:
            time.sleep(_FAREWELL)


if __name__ == "__main__":
    main()
