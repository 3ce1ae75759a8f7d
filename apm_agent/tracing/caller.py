"""Finds the line of the user's own code that is running; one dictionary look-up a frame."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from types import CodeType, FrameType

from apm_agent.model.origin import APP, Origin
from apm_agent.model.span import Place

#: The line that handed work to another thread, for as long as it waits: what runs there has no frame of it.
handed: ContextVar[Place | None] = ContextVar("apm_agent_handed", default=None)

_DEEPEST = 200
_origin = Origin()
#: file name → is it the user's own. Not by code object: hashing one costs twice as much, and there are more.
_own: dict[str, bool | int] = {}
#: Files of libraries that tell what asked for a query, where the user's line does not: these are 2 in `_own`.
_TELLING = tuple(
    name.replace("/", os.sep)
    for name in ("/django/db/models/fields/related_descriptors.py", "/sqlalchemy/orm/strategies.py")
)


def configure(origin: Origin) -> None:
    """Judge by another application root from now on."""
    global _origin
    _origin = origin
    _own.clear()


def place_of_caller(skip: int = 0) -> Place | None:
    """The innermost frame of the user's own code on this thread: code and instruction, or None.

    Below it may lie a frame of a library's file that tells more: then that code too, the innermost. The caller, its
    caller and `skip` frames more are not looked at; the stack must be that deep.
    """
    frame: FrameType | None = sys._getframe(2 + skip)
    own = _own
    left = _DEEPEST
    while frame is not None and left:
        code = frame.f_code
        is_own = own.get(code.co_filename)
        if is_own or (is_own is None and learn(code)):
            return (code, frame.f_lasti) if is_own != 2 else _above(frame, left)
        frame = frame.f_back
        left -= 1
    return handed.get()


def _above(telling: FrameType, left: int) -> Place | None:
    """The place of the user's own code above a frame that tells more, and that frame's code."""
    frame = telling.f_back
    own = _own
    while frame is not None and left:
        code = frame.f_code
        is_own = own.get(code.co_filename)
        if is_own is True or (is_own is None and learn(code)):
            return code, frame.f_lasti, telling.f_code
        frame = frame.f_back
        left -= 1
    place = handed.get()
    return place and (place[0], place[1], telling.f_code)


def learn(code: CodeType) -> bool:
    """Whether a code object is the user's own; judged once a file."""
    path = code.co_filename
    is_own = _own.get(path)
    if is_own is None:
        # An application that makes file names without end must not make us grow with it.
        if len(_own) > 20_000:
            _own.clear()
        is_own = _origin.of(path) == APP or (2 if path.endswith(_TELLING) else False)
        _own[path] = is_own
    return is_own is True
