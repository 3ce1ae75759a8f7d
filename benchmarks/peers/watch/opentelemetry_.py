"""OpenTelemetry's SDK and instrumentations, exporting over OTLP."""

from __future__ import annotations

from typing import Any

TITLE = "OpenTelemetry"
REQUIRES = (
    "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-instrumentation-flask",
    "opentelemetry-instrumentation-django", "opentelemetry-instrumentation-starlette",
    "opentelemetry-instrumentation-sqlite3",
)  # fmt: skip
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = True

_provider: Any = None


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_SERVICE_NAME": "watched",
    }  # fmt: skip


def begin() -> None:
    """As its documentation says: a provider, a batch processor, and the instrumentation of the driver."""
    global _provider
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    _provider = TracerProvider()
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(_provider)
    SQLite3Instrumentor().instrument()


def flask(app: Any) -> None:
    """As its documentation says."""
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    FlaskInstrumentor().instrument_app(app)


def django(settings: dict[str, Any]) -> None:
    """Nothing yet: it wants the settings to be there."""


def django_ready() -> None:
    """As its documentation says."""
    from opentelemetry.instrumentation.django import DjangoInstrumentor

    DjangoInstrumentor().instrument()


def starlette(app: Any) -> None:
    """As its documentation says."""
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor

    StarletteInstrumentor.instrument_app(app)


def flush() -> None:
    """Send what waits."""
    _provider.force_flush()
