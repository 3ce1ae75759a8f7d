"""Sentry, every transaction traced and profiled."""

from __future__ import annotations

import os
from typing import Any

TITLE = "Sentry, traces and profiles"
REQUIRES = ("sentry-sdk",)
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = True


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {"SENTRY_DSN": f"http://key@127.0.0.1:{port}/1"}


def begin() -> None:
    """As its documentation says."""
    import sentry_sdk

    sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], traces_sample_rate=1.0, profiles_sample_rate=1.0)


def flask(app: Any) -> None:
    """Nothing: its integrations find the framework."""


def django(settings: dict[str, Any]) -> None:
    """Nothing: its integrations find the framework."""


def starlette(app: Any) -> None:
    """Nothing: its integrations find the framework."""


def flush() -> None:
    """Send what waits."""
    import sentry_sdk

    sentry_sdk.flush()
