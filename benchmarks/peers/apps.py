"""The same three views in three frameworks, watched by one of the peers or by nobody."""

from __future__ import annotations

import functools
import sqlite3
import sys
from types import ModuleType
from typing import Any

from overhead import Run, call_asgi, call_wsgi

#: View → requests a batch.
VIEWS = {"trivial": 300, "5 ms of CPU": 20, "ten queries": 100}
PATHS = {"trivial": "/trivial", "5 ms of CPU": "/cpu", "ten queries": "/queries"}
FRAMEWORKS = ("flask", "django", "starlette")
#: Served by uvicorn; the others by gunicorn.
ASGI = ("starlette",)

_QUERY = "SELECT name FROM things WHERE id = ?"
_THINGS = [(number, str(number)) for number in range(100)]


def compute() -> str:
    """About 5 ms of plain Python."""
    total = 0
    for number in range(120_000):
        total += number * number % 7
    return str(total)


@functools.cache
def _filled() -> sqlite3.Connection:
    # Opened by the first request, after every peer has patched what it patches.
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
    connection.executemany("INSERT INTO things VALUES (?, ?)", _THINGS)
    return connection


def _ask() -> str:
    found = []
    for number in range(10):
        cursor = _filled().cursor()  # which all peers watch, and not all watch `connection.execute`
        cursor.execute(_QUERY, (number,))
        found.append(str(cursor.fetchone()))
    return "".join(found)


def views(framework: str, peer: ModuleType | None) -> dict[str, Run]:
    """What calls each view without a server."""
    call = call_asgi if framework in ASGI else call_wsgi
    app = globals()[framework](peer)
    return {view: call(app, path) for view, path in PATHS.items()}


def flask(peer: ModuleType | None) -> Any:
    """The application, watched."""
    from flask import Flask

    app = Flask("watched")
    app.add_url_rule("/trivial", "trivial", lambda: "ok")
    app.add_url_rule("/cpu", "cpu", compute)
    app.add_url_rule("/queries", "queries", _ask)
    return (peer.flask(app) or app) if peer else app


def django(peer: ModuleType | None) -> Any:
    """The application, watched."""
    import django as library
    from django.conf import settings

    given: dict[str, Any] = {
        "SECRET_KEY": "benchmark", "ALLOWED_HOSTS": ["*"], "ROOT_URLCONF": __name__, "LOGGING_CONFIG": None,
        "INSTALLED_APPS": [], "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"],
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "things.sqlite3"}},
        "DEFAULT_AUTO_FIELD": "django.db.models.AutoField", "USE_TZ": True,
    }  # fmt: skip
    if peer:
        peer.django(given)
    settings.configure(**given)
    library.setup()
    from django.core.wsgi import get_wsgi_application
    from django.db import connection
    from django.http import HttpResponse
    from django.urls import path

    def queries(request: Any) -> HttpResponse:
        found = []
        for number in range(10):
            with connection.cursor() as cursor:
                cursor.execute("SELECT name FROM things WHERE id = %s", [number])
                found.append(str(cursor.fetchone()))
        return HttpResponse("".join(found))

    module = sys.modules[__name__]
    module.urlpatterns = [  # type: ignore[attr-defined]
        path("trivial", lambda request: HttpResponse("ok")),
        path("cpu", lambda request: HttpResponse(compute())),
        path("queries", queries),
        *getattr(peer, "urls", list)(),
    ]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, name TEXT)")
        cursor.executemany("INSERT OR IGNORE INTO things VALUES (%s, %s)", _THINGS)
    ready = getattr(peer, "django_ready", None)
    if ready:
        ready()
    return get_wsgi_application()


def starlette(peer: ModuleType | None) -> Any:
    """The application, watched."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def trivial(request: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def cpu(request: Any) -> PlainTextResponse:
        return PlainTextResponse(compute())

    async def queries(request: Any) -> PlainTextResponse:
        return PlainTextResponse(_ask())

    app = Starlette(routes=[Route("/trivial", trivial), Route("/cpu", cpu), Route("/queries", queries)])
    return (peer.starlette(app) or app) if peer else app
