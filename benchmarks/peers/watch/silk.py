"""django-silk."""

from __future__ import annotations

from typing import Any

TITLE = "django-silk"
REQUIRES = ("django-silk",)
FRAMEWORKS = ("django",)
SENDS = False


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Nothing."""
    return {}


def begin() -> None:
    """Nothing: the settings do it."""


def django(settings: dict[str, Any]) -> None:
    """As its documentation says."""
    settings["MIDDLEWARE"].append("silk.middleware.SilkyMiddleware")
    settings["INSTALLED_APPS"] = [
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "silk",
    ]  # fmt: skip
    settings["TEMPLATES"] = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]


def urls() -> list[Any]:
    """Its pages."""
    from django.urls import include, path

    return [path("silk/", include("silk.urls", namespace="silk"))]


def django_ready() -> None:
    """Its tables."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def flush() -> None:
    """Nothing waits: it writes within the request."""


def kept() -> int:
    """Rows in its table."""
    from silk.models import Request

    return int(Request.objects.count())
