"""A Django project in one file, run by tests in processes of its own."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import django
from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path, re_path
from django.views import View

from apm_agent.tracing.blocks import span

OURS = ["apm_agent.integrations.django"] if os.environ.get("SITE_WATCHED", "1") == "1" else []

if not settings.configured:
    settings.configure(
        SECRET_KEY="x" * 50,
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        DEBUG=os.environ.get("SITE_DEBUG") == "1",
        INSTALLED_APPS=[
            *OURS,
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        LOGGING={
            "version": 1,
            "disable_existing_loggers": False,
            "loggers": {"django": {"level": "CRITICAL"}},
        },
        APM_AGENT=json.loads(os.environ.get("SITE_SETTINGS", '{"ENABLED": false}')),
    )


def note(request: HttpRequest, pk: int) -> HttpResponse:
    with span("note"):
        return HttpResponse(f"note {pk}")


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("no")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        for n in range(3):
            with span(f"part {n}"):
                yield b"x" * 10

    return StreamingHttpResponse(parts())


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        for n in range(3):
            with span(f"part {n}"):
                yield b"x" * 10

    return StreamingHttpResponse(parts(), content_type="text/event-stream")


def endless(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        while True:
            time.sleep(0.01)
            yield b"x" * 100_000

    return StreamingHttpResponse(parts())


async def here(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(threading.get_ident()))


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("c")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


def body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{len(request.read())}")


def untouched(request: HttpRequest) -> HttpResponse:
    """What nobody asked for was not made."""
    return HttpResponse(
        json.dumps([n for n in ("_cached_user", "_body", "_post", "_read_started") if vars(request).get(n)])
        + str(request.session.accessed)
    )


class Page(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("page")


class Notes:
    """As a REST framework viewset presents itself."""

    def list(self) -> None: ...


def listing(request: HttpRequest) -> HttpResponse:
    return HttpResponse("list")


listing.cls = Notes  # type: ignore[attr-defined]
listing.actions = {"get": "list"}  # type: ignore[attr-defined]


def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    return HttpResponse("answer")


urlpatterns = [
    path("", answer),
    path("notes/<int:pk>/", note),
    path("fail", fail),
    path("missing", missing),
    path("stream", stream),
    path("stream-async", stream_async),
    path("endless", endless),
    path("here", here),
    path("file", file),
    path("cookies", cookies),
    path("body", body),
    path("untouched", untouched),
    path("page", Page.as_view()),
    path("listing", listing),
    path("inner/", include([path("<slug:a>", answer)])),
    re_path(r"^articles/(?P<year>[0-9]{4})/(?:page-(\d+)/)?$", answer),
    re_path(r"^export\.(csv|json)$", answer),
]
if os.environ.get("SITE_URLS") == "1":
    urlpatterns.append(path("apm/", include("apm_agent.integrations.django.urls")))

django.setup()

if os.environ.get("SITE_SERVER"):
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    wsgi = get_wsgi_application()
    asgi = get_asgi_application()
