"""Scout, with a core agent that takes all and keeps none."""

from __future__ import annotations

import time
from typing import Any

TITLE = "Scout"
REQUIRES = ("scout-apm",)
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = True


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {
        "SCOUT_MONITOR": "true", "SCOUT_KEY": "benchmark", "SCOUT_NAME": "watched",
        "SCOUT_CORE_AGENT_LAUNCH": "false", "SCOUT_CORE_AGENT_DOWNLOAD": "false",
        "SCOUT_CORE_AGENT_SOCKET_PATH": f"tcp://127.0.0.1:{core_port}", "SCOUT_ERRORS_ENABLED": "false",
    }  # fmt: skip


def begin() -> None:
    """Nothing: the application's own lines do it."""


def flask(app: Any) -> None:
    """As its documentation says."""
    from scout_apm.flask import ScoutApm

    ScoutApm(app)


def django(settings: dict[str, Any]) -> None:
    """As its documentation says."""
    settings["INSTALLED_APPS"] = ["scout_apm.django"]


def starlette(app: Any) -> None:
    """As its documentation says."""
    from scout_apm.api import Config
    from scout_apm.async_.starlette import ScoutMiddleware

    Config.set(monitor=True)
    app.add_middleware(ScoutMiddleware)


def flush() -> None:
    """Wait until its thread has sent what waits."""
    from scout_apm.core.agent.socket import CoreAgentSocketThread

    thread = CoreAgentSocketThread._instance
    end = time.monotonic() + 10
    while thread is not None and thread.is_alive() and time.monotonic() < end:
        if not CoreAgentSocketThread._command_queue.qsize():
            return
        time.sleep(0.005)
