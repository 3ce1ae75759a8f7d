"""Describes an exception without keeping it: class, message, innermost own place, and the places around it."""

from __future__ import annotations

from apm_agent.model.span import Place
from apm_agent.model.transaction import Failure
from apm_agent.tracing.caller import learn

_MOST_FRAMES = 1000
#: As many of them are kept: the innermost, where the cause is.
_DEEPEST = 60
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
    stack = _stack(error)
    own = next((place for place in reversed(stack) if learn(place[0])), None)
    return Failure(name, message, own or (stack[-1] if stack else None), tuple(stack[-_DEEPEST:]))


def _stack(error: BaseException) -> list[Place]:
    """What the traceback went through, outermost first: code and instruction, never a frame."""
    traceback = error.__traceback__
    found: list[Place] = []
    for _ in range(_MOST_FRAMES):
        if traceback is None:
            break
        found.append((traceback.tb_frame.f_code, traceback.tb_lasti))
        traceback = traceback.tb_next
    return found
