"""Describes an exception without keeping it: class, message, innermost own place."""

from __future__ import annotations

from apm_agent.model.span import Place
from apm_agent.model.transaction import Failure
from apm_agent.tracing.caller import learn

_MOST_FRAMES = 1000
#: As many characters as are looked at when the writer scrubs it.
_LONGEST = 2_000


def describe(error: BaseException) -> Failure:
    """What to keep of an exception; holds no reference to it, its frames or their locals.

    The message is scrubbed by the writer, which is the first to show it to anybody.
    """
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)[:_LONGEST]
    except Exception:  # a user's __str__ may do anything; the class alone is still true
        message = ""
    return Failure(name, message, _own_place(error))


def _own_place(error: BaseException) -> Place | None:
    traceback, last, any_last = error.__traceback__, None, None
    for _ in range(_MOST_FRAMES):
        if traceback is None:
            break
        code = traceback.tb_frame.f_code
        any_last = (code, traceback.tb_lasti)
        if learn(code):
            last = any_last
        traceback = traceback.tb_next
    return last or any_last
