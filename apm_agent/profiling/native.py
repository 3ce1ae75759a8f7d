"""The real thread primitives, also where gevent or eventlet put greenlets in their place; for the sampler's thread.

A patched sleep or lock in our thread would run a hub of its own there, or block the application's.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from apm_agent.model import threads


def original(module: str, name: str) -> Callable[..., Any]:
    """`module.name` as the interpreter made it; asked when used, for patching may happen after our import."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None:
        return gevent.get_original(module, name)  # type: ignore[no-any-return]
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None:
        return getattr(eventlet.original(module), name)  # type: ignore[no-any-return]
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def refusal() -> str:
    """Why threads must not, or cannot, be looked at from another thread; empty when they may."""
    gil = getattr(sys, "_is_gil_enabled", None)
    if gil is not None and not gil():
        return "off: a build without the GIL; looking at another thread's frames is unsafe there"
    if sys.implementation.name != "cpython":
        return f"off: not tried on {sys.implementation.name}"
    if not hasattr(sys, "_current_frames"):
        return "off: this interpreter shows no frames of other threads"
    why = threads.refused()
    return f"off: {why}" if why else ""


def at_exit() -> bool:
    """Whether the interpreter is on its way out, when no thread may be started any more."""
    if sys.is_finalizing():
        return True
    threading = sys.modules.get("threading")
    return threading is not None and not threading.main_thread().is_alive()
