"""Tells writers before their process forks; lets children that end past atexit write the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


class Forking(Protocol):
    """What wants to hear of forks; in the child, the agent makes it anew."""

    def before_fork(self) -> None:
        """A fork is about to happen on this thread."""
        ...

    def after_fork_in_parent(self) -> None:
        """It has happened."""
        ...


_told: WeakSet[Forking] = WeakSet()


def tell(part: Forking) -> None:
    """Tell `part` of every fork, as long as it lives."""
    _told.add(part)


def at_end_of_child(work: Callable[[], object]) -> None:
    """Have `work` done when this process ends, if it is a child that ends by `os._exit`, past atexit.

    Those of multiprocessing do, and those of Celery's pool.
    """
    for name in ("multiprocessing.util", "billiard.util"):
        util = sys.modules.get(name)
        if util is not None:
            util.Finalize(None, work, exitpriority=-100)


def _before() -> None:
    for part in list(_told):
        part.before_fork()


def _after_in_parent() -> None:
    for part in list(_told):
        part.after_fork_in_parent()


if hasattr(os, "register_at_fork"):
    # Logging has hooks of its own. Imported by our thread while a fork waits for it, it would let go in the
    # child of a lock that nobody took in the parent.
    import logging  # noqa: F401

    os.register_at_fork(before=_before, after_in_parent=_after_in_parent)
