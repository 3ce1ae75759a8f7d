"""Logfire, sending to a collector of one's own."""

from __future__ import annotations

from typing import Any

TITLE = "Logfire"
REQUIRES = ("logfire[flask,django,starlette,sqlite3]",)
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = True


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "LOGFIRE_IGNORE_NO_CONFIG": "1"}


def begin() -> None:
    """As its documentation says for other backends."""
    import logfire

    logfire.configure(send_to_logfire=False, console=False, service_name="watched", inspect_arguments=False)
    logfire.instrument_sqlite3()


def flask(app: Any) -> None:
    """As its documentation says."""
    import logfire

    logfire.instrument_flask(app)


def django(settings: dict[str, Any]) -> None:
    """Nothing yet: it wants the settings to be there."""


def django_ready() -> None:
    """As its documentation says."""
    import logfire

    logfire.instrument_django()


def starlette(app: Any) -> None:
    """As its documentation says."""
    import logfire

    logfire.instrument_starlette(app)


def flush() -> None:
    """Send what waits."""
    import logfire

    logfire.force_flush()
