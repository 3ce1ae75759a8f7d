"""What we raise, and `contained`, the one place that refuses to raise.

ApmError
├── ConfigError     a setting is unknown, ill-typed or impossible; names the value and the cure
├── InstallError    install() called twice with different settings, or too late
└── StoreError      the store cannot be used: unwritable folder, newer schema, network file system
    └── QuestionError   a question to the store is malformed (a URL parameter, a range)
        └── NotFoundError   it is well put, but what it is about is not there
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TypeVar

_T = TypeVar("_T")


class ApmError(Exception):
    """Base of everything apm-agent raises at install time or on the command line; never during a request."""


class ConfigError(ApmError, ValueError):
    """A setting is unknown, ill-typed or impossible."""


class InstallError(ApmError, RuntimeError):
    """The agent is already installed with other settings."""


class StoreError(ApmError):
    """The store cannot be used; the message names the file and the cure."""


class QuestionError(StoreError, ValueError):
    """A question to the store is malformed; the message names the value and what is allowed."""


class NotFoundError(QuestionError):
    """The question is well put, but what it is about is not in the store."""


class contained:
    """Swallow and log once whatever our own code raises while the application runs.

    ``with contained("stopping a profiler"): ...`` logs the first failure of each kind and carries on. It holds
    `Exception` only: `KeyboardInterrupt`, `SystemExit` (a server's worker time-out), `GeneratorExit` and
    `CancelledError` belong to the application, and so does what a handler of signals raises, which comes wherever the
    main thread is: a time limit that we swallowed would never end anything. An instance keeps no state of one use, so
    it may be shared by threads and entered again while open. The only broad handler of the package.
    """

    __slots__ = ("what",)

    #: (what, error text) → how often; shown on the Health page.
    seen: dict[tuple[str, str], int] = {}  # noqa: RUF012
    _MOST = 200

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return error is not None and self.holds(error)

    def go_on(
        self, error: BaseException, calls: Iterable[Callable[[_T], object]], argument: _T
    ) -> BaseException | None:
        """Note what one of several calls raised, and make those that are left whatever they raise.

        The answer is what is not ours to hold, and must be raised by the caller.
        """
        theirs = None if self.holds(error) else error
        for call in calls:
            try:
                call(argument)
            except BaseException as another:
                theirs = theirs if self.holds(another) else another
        return theirs

    def holds(self, error: BaseException) -> bool:
        """Note what was raised; False where it is not ours to hold, and must go on.

        For the few lines each request goes through, where entering and leaving a block would cost more than they do:
        ``except BaseException as error: if not naming.holds(error): raise``.
        """
        if not isinstance(error, Exception) or _of_a_signal(error):
            return False
        self.note(error)
        return True

    def note(self, error: Exception) -> None:
        """Count the failure, log it the first time; never raises."""
        try:
            key = (self.what, f"{type(error).__name__}: {error}"[:200])
            seen = contained.seen
            count = seen.get(key)
            if count is None and len(seen) >= self._MOST:
                return
            seen[key] = (count or 0) + 1
            if count is None:
                import logging  # a quarter of our import time, and needed only here

                logging.getLogger("apm_agent").warning(
                    "apm-agent failed while %s and carried on", self.what, exc_info=error
                )
        except Exception:
            return


def _of_a_signal(error: Exception) -> bool:
    """Whether a signal's handler raised it while our code happened to run."""
    signal = sys.modules.get("signal")
    if signal is None:  # whoever set a handler imported it
        return False
    codes = set()
    step = error.__traceback__
    while step is not None:
        codes.add(step.tb_frame.f_code)
        step = step.tb_next
    for number in range(1, signal.NSIG):
        handler = signal.getsignal(number)
        if callable(handler) and handler is not signal.default_int_handler:
            function = getattr(handler, "__func__", handler)
            code = getattr(function, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
            if code in codes:
                return True
    return False
