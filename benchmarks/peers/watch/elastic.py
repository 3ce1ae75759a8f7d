"""Elastic APM."""

from __future__ import annotations

from typing import Any

TITLE = "Elastic APM"
REQUIRES = ("elastic-apm",)
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = True

_client: Any = None


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {
        "ELASTIC_APM_SERVER_URL": f"http://127.0.0.1:{port}", "ELASTIC_APM_SERVICE_NAME": "watched",
        "ELASTIC_APM_CENTRAL_CONFIG": "false", "ELASTIC_APM_CLOUD_PROVIDER": "none",
    }  # fmt: skip


def begin() -> None:
    """Nothing: the application's own lines do it."""


def flask(app: Any) -> None:
    """As its documentation says."""
    global _client
    from elasticapm.contrib.flask import ElasticAPM

    _client = ElasticAPM(app).client


def django(settings: dict[str, Any]) -> None:
    """As its documentation says."""
    settings["INSTALLED_APPS"] = ["elasticapm.contrib.django"]
    settings["MIDDLEWARE"].insert(0, "elasticapm.contrib.django.middleware.TracingMiddleware")


def starlette(app: Any) -> None:
    """As its documentation says."""
    global _client
    from elasticapm.contrib.starlette import ElasticAPM, make_apm_client

    _client = make_apm_client()
    app.add_middleware(ElasticAPM, client=_client)


def flush() -> None:
    """Send what waits."""
    global _client
    if _client is None:
        from elasticapm.contrib.django.client import client

        _client = client
    _client._transport.flush()
