"""Datadog's tracer."""

from __future__ import annotations

from typing import Any

TITLE = "Datadog"
REQUIRES = ("ddtrace",)
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = True


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {
        "DD_TRACE_AGENT_URL": f"http://127.0.0.1:{port}", "DD_SERVICE": "watched", "DD_TRACE_STARTUP_LOGS": "false",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    }  # fmt: skip


def begin() -> None:
    """As its documentation says."""
    import ddtrace.auto  # noqa: F401


def flask(app: Any) -> None:
    """Nothing: it finds the framework."""


def django(settings: dict[str, Any]) -> None:
    """Nothing: it finds the framework."""


def starlette(app: Any) -> None:
    """Nothing: it finds the framework."""


def flush() -> None:
    """Send what waits."""
    from ddtrace.trace import tracer

    tracer.flush()
