"""The writer's thread and locks: those of the system, also where gevent has put its own in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from apm_agent.profiling.native import original


class Lock(Protocol):
    """What `_thread.allocate_lock` gives."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, waiting at most `timeout` seconds; False when it was not free."""
        ...

    def release(self) -> None:
        """Give it back; `RuntimeError` when nobody had it."""
        ...


def lock() -> Lock:
    """A lock between system threads."""
    made: Lock = original("_thread", "allocate_lock")()
    return made


def start(work: Callable[[], None]) -> bool:
    """Run `work` in a thread that keeps no process alive; False where no thread can start (any more).

    Not `threading.Thread`, whose `start` waits until the thread runs: a request never waits, and under a
    server that runs no Python threads it would wait for ever.
    """
    try:
        original("_thread", "start_new_thread")(work, ())
    except RuntimeError:  # the interpreter is shutting down, or the system has no more threads
        return False
    return True
