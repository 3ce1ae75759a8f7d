"""Werkzeug's ProfilerMiddleware: cProfile around every request."""

from __future__ import annotations

import io
from typing import Any

TITLE = "Werkzeug's profiler"
REQUIRES = ("werkzeug",)
FRAMEWORKS = ("flask",)
SENDS = False

_stream = io.StringIO()


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Nothing."""
    return {}


def begin() -> None:
    """Nothing: the application's one line does it."""


def flask(app: Any) -> Any:
    """As its documentation says; it prints to nowhere."""
    from werkzeug.middleware.profiler import ProfilerMiddleware

    return ProfilerMiddleware(app, stream=_stream, restrictions=(10,))


def flush() -> None:
    """Nothing waits."""


def kept() -> int:
    """Reports printed."""
    return _stream.getvalue().count("PATH: ")
