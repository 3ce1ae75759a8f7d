"""Locks: a span where the application waited at least 5 ms, of all that Python's own `threading.Condition` makes.

That is Event, Semaphore, Barrier, Condition, `queue.Queue` and a future's `result`: they come here only when
they have to wait. Lock and RLock are made in C, and standing in for them would cost each of their uses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.caller import learn
from apm_agent.tracing.current import current

_LEAST_NS = 5_000_000
#: The files between the line that waits and the condition: the standard library's and ours.
_ON_THE_WAY = ("threading.py", "queue.py", "_base.py", "wrapping.py", "locks.py")


def wait(wrapped: Callable[..., Any], condition: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Condition.wait(timeout=None)``; a span only afterwards, when it is known to have been long."""
    active, here = tracing.tracer, current.get()
    # What waits inside of a span for waiting, such as a pool's, has been told already.
    if active is None or here is None or here.kind == "wait":
        return wrapped(*args, **kwargs)
    begun = active.monotonic()
    error = None
    try:
        return wrapped(*args, **kwargs)
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        if active.monotonic() - begun >= _LEAST_NS and _asked_by_the_application():
            span = tracing.open_span("wait", "lock", True)
            if span is not None:
                span.start_ns = begun
                if error is not None:
                    span.tag(error=error)
                tracing.close_span(span)


def _asked_by_the_application() -> bool:
    # What libraries wait for inside is told by what the application asked of them; and any new thread is
    # waited for until it runs.
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if learn(code):
            return True
        if not code.co_filename.endswith(_ON_THE_WAY) or code.co_name == "start":
            return False
        frame = frame.f_back
    return False


PATCHES = (Returning("threading:Condition.wait", wait),)

#: For docs/supported.md.
SUPPORT = Support(
    "Python's own",
    "threading, queue, concurrent.futures",
    "patch of `Condition.wait`",
    "waits of at least 5 ms of your own code for an Event, Semaphore, Barrier, Condition, `queue.Queue` "
    "or a future's result, with the line that waits",
)
