"""Keeps the garbage collector from starting while frames and coroutines of others are walked.

Before 3.12 a collection starts inside an allocation, and asking a frame for its caller allocates: callbacks and
finalizers then run, the GIL is handed on, the caller ends, and the interpreter goes on with memory that is no more. In
`sys._current_frames` it can deadlock (cpython #106883). From 3.12 on it starts between two instructions only.

It is held by its threshold, which says nothing to who asks whether it is enabled, and leaves alone who turns it off or
on meanwhile.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_NEEDED = sys.version_info < (3, 12)
_before: tuple[int, int, int] | None = None


@contextmanager
def held() -> Iterator[None]:
    """No collection starts in the block. Only the sampler's thread holds it, so one at a time."""
    global _before
    if not _NEEDED or _before is not None:
        yield
        return
    _before = gc.get_threshold()
    gc.set_threshold(0, *_before[1:])
    try:
        yield
    finally:
        release()


def release() -> None:
    """Let it go if it is held; a forked child does so for the look its parent was taking."""
    global _before
    before, _before = _before, None
    if before is not None and gc.get_threshold()[0] == 0:  # else the application has set its own meanwhile
        gc.set_threshold(*before)
