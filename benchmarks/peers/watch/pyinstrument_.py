"""pyinstrument around every request, as its documentation shows for each framework."""

from __future__ import annotations

from typing import Any

TITLE = "pyinstrument"
REQUIRES = ("pyinstrument",)
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = False

_profiles = 0


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Nothing."""
    return {}


def begin() -> None:
    """Nothing: the application's own lines do it."""


def flask(app: Any) -> None:
    """Started before the request and stopped after; its output, which takes longer still, is not made."""
    from flask import g
    from pyinstrument import Profiler

    @app.before_request
    def start() -> None:
        g.profiler = Profiler()
        g.profiler.start()

    @app.after_request
    def stop(response: Any) -> Any:
        _stopped(g.profiler)
        return response


def django(settings: dict[str, Any]) -> None:
    """A middleware around the view."""
    settings["MIDDLEWARE"].insert(0, f"{__name__}.middleware")


def middleware(get_response: Any) -> Any:
    """The same for Django."""
    from pyinstrument import Profiler

    def answer(request: Any) -> Any:
        profiler = Profiler()
        profiler.start()
        try:
            return get_response(request)
        finally:
            _stopped(profiler)

    return answer


def starlette(app: Any) -> Any:
    """The same for Starlette, in its async mode."""
    from pyinstrument import Profiler

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        profiler = Profiler(async_mode="enabled")
        profiler.start()
        try:
            await app(scope, receive, send)
        finally:
            _stopped(profiler)

    return watched


def _stopped(profiler: Any) -> None:
    global _profiles
    if profiler.stop() is not None:
        _profiles += 1


def flush() -> None:
    """Nothing waits."""


def kept() -> int:
    """Profiles made."""
    return _profiles
