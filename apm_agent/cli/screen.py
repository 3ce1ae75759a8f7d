"""A terminal for the length of a block: alternate screen, single keys, put back as it was however the block ends."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = tty = None  # type: ignore[assignment]

_ENTER = "\x1b[?1049h\x1b[?25l"
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"
_REVERSE, _PLAIN = "\x1b[7m", "\x1b[0m"
_ENDINGS = ("SIGTERM", "SIGHUP")


def usable() -> bool:
    """Whether both sides are a terminal that can be drawn on."""
    return (
        termios is not None
        and sys.stdin.isatty()
        and sys.stdout.isatty()
        and os.environ.get("TERM") != "dumb"
    )


class Screen:
    """``with Screen() as screen: screen.draw(lines); key = screen.key(1.0)``."""

    def __init__(self) -> None:
        self._in = sys.stdin.fileno()
        self._before: list[Any] = []
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Screen:
        self._before = termios.tcgetattr(self._in)
        for name in _ENDINGS:
            self._handle(getattr(signal, name), _end)
        self._handle(signal.SIGTSTP, self._stop)
        try:
            self._take()
        except BaseException:
            self._give_back()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def size(self) -> tuple[int, int]:
        """Columns and rows, now."""
        columns, rows = shutil.get_terminal_size()
        return max(20, columns), max(5, rows)

    def draw(self, lines: Sequence[str], title: int = -1) -> None:
        """Show these lines and nothing else; line `title` stands out."""
        columns, rows = self.size()
        shown = []
        for number, line in enumerate(lines[:rows]):
            text = line[: columns - 1]
            if number == title:
                text = f"{_REVERSE}{text.ljust(columns - 1)}{_PLAIN}"
            shown.append(text + _REST_OF_LINE)
        _write(_HOME + "\r\n".join(shown) + _REST)

    def key(self, seconds: float) -> str:
        """The key that is pressed within so many seconds; empty when none is."""
        ready, _, _ = select.select([self._in], [], [], max(0.0, seconds))
        if not ready:
            return ""
        pressed = os.read(self._in, 32)
        if not pressed:
            raise EOFError  # the terminal is gone
        return pressed.decode("utf-8", "replace")

    def _take(self) -> None:
        tty.setcbreak(self._in)
        _write(_ENTER)

    def _give_back(self) -> None:
        with suppress(OSError):
            _write(_LEAVE)
        with suppress(termios.error):
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

    def _handle(self, number: int, handler: Any) -> None:
        self._handlers[number] = signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its own screen back until we go on."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._stop)
        self._take()


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
