"""Finds the line of the user's own code that is running; one dictionary look-up a frame."""

from __future__ import annotations

import sys
from types import CodeType

from apm_agent.model.origin import APP, Origin
from apm_agent.model.span import Place

_DEEPEST = 200
_origin = Origin()
#: code object → is it the user's own; keeps the code alive, so its identity stays true.
_own: dict[CodeType, bool] = {}


def configure(origin: Origin) -> None:
    """Judge by another application root from now on."""
    global _origin
    _origin = origin
    _own.clear()


def place_of_caller() -> Place | None:
    """The innermost frame of the user's own code on this thread, as code and instruction; None if there is none."""
    frame = sys._getframe(2)
    own = _own
    for _ in range(_DEEPEST):
        code = frame.f_code
        is_own = own.get(code)
        if is_own is None:
            is_own = learn(code)
        if is_own:
            return code, frame.f_lasti
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return None


def learn(code: CodeType) -> bool:
    """Judge a code object once and remember it."""
    if len(_own) > 50_000:  # an application that makes functions without end must not make us grow with it
        _own.clear()
    is_own = _own[code] = _origin.of(code.co_filename) == APP
    return is_own
