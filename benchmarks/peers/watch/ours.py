"""This agent with its defaults."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

TITLE = "apm-agent"
REQUIRES = ("{root}",)
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = False


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {"APM_AGENT_STORE": f"sqlite:///{folder}/apm.db"}


def begin() -> None:
    """Nothing: the application's one line does it."""


def flask(app: Any) -> None:
    """As the README says."""
    from apm_agent.integrations.flask import init_app

    init_app(app)


def django(settings: dict[str, Any]) -> None:
    """As the README says."""
    settings["INSTALLED_APPS"] = ["apm_agent.integrations.django"]


def starlette(app: Any) -> None:
    """As the README says."""
    from apm_agent.integrations.asgi import APMMiddleware

    app.add_middleware(APMMiddleware)


def flush() -> None:
    """Write what waits."""
    import apm_agent

    apm_agent.flush(30)


def kept() -> int:
    """Rows in its store."""
    store = sqlite3.connect(os.environ["APM_AGENT_STORE"].removeprefix("sqlite:///"))
    return int(store.execute("SELECT count(*) FROM transactions").fetchone()[0])
