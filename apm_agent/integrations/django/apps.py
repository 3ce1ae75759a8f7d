"""Installs the agent as Django starts, by the ``APM_AGENT`` dict of its settings."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.signals import got_request_exception

from apm_agent import agent
from apm_agent.errors import ConfigError
from apm_agent.tracing.tracer import capture_exception

MIDDLEWARE = "apm_agent.integrations.django.middleware.APMMiddleware"


class AgentConfig(AppConfig):  # type: ignore[misc]
    """The app to put into ``INSTALLED_APPS``."""

    name = "apm_agent.integrations.django"
    label = "apm_agent"
    verbose_name = "apm-agent"

    def ready(self) -> None:
        """Watch, with Django's settings."""
        watch()


def watch() -> None:
    """Install with Django's settings, and put the one middleware first; again does nothing more."""
    given = getattr(settings, "APM_AGENT", None) or {}
    if not isinstance(given, dict):
        raise ConfigError(f"Django's setting APM_AGENT is {given!r:.100}, but must be a dict.")
    agent.install({}, {str(name).lower(): value for name, value in given.items()})
    if MIDDLEWARE not in settings.MIDDLEWARE:
        settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]
    got_request_exception.connect(_tell, dispatch_uid="apm_agent")


def _tell(sender: Any, **_: Any) -> None:
    # Sent where the exception is being handled, so it needs no passing on.
    capture_exception()
