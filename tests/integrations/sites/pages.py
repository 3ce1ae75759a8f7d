"""Pages of HTML and what looks like them, in a plain WSGI, a Flask, a Starlette, a FastAPI and a Django application."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from collections.abc import Iterator
from typing import Any

import apm_agent

HEAD = '<!doctype html><html lang="en"><head><title>Page</title></head><body><h1>Page</h1>'
PAGE = f"{HEAD}</body></html>\n"
HTML = "text/html; charset=utf-8"
SETTINGS = json.loads(os.environ.get("SITE_SETTINGS", "{}"))


def query() -> None:
    db = sqlite3.connect(":memory:")
    for _ in range(3):
        db.execute("SELECT 1")
    db.close()


#: path → (content type, headers, body): whole pages, and what must be left alone.
ANSWERS: dict[str, tuple[str, dict[str, str], bytes]] = {
    "/page": (HTML, {}, PAGE.encode()),
    "/own-script": (HTML, {"Content-Security-Policy": "default-src 'self'"}, PAGE.encode()),
    "/json": ("application/json", {}, b'{"a": "</body>"}'),
    "/zipped": (HTML, {"Content-Encoding": "gzip"}, gzip.compress(PAGE.encode(), mtime=0)),
    "/latin": ("text/html; charset=latin-1", {}, PAGE.encode()),
    "/fragment": (HTML, {}, b"<p>part</p>"),
    "/script": (HTML, {}, b"<body><script>x='</body>'</script>"),
    "/strict": (HTML, {"Content-Security-Policy": "script-src 'nonce-1'"}, PAGE.encode()),
    "/meta": (
        HTML, {}, PAGE.replace("<title>", "<meta http-equiv='Content-Security-Policy' content=''><title>").encode(),
    ),
    "/tagged": (HTML, {"ETag": '"1"'}, PAGE.encode()),
    "/saved": (HTML, {"Content-Disposition": "attachment; filename=page.html"}, PAGE.encode()),
}  # fmt: skip
LEFT_ALONE = ("/json", "/zipped", "/latin", "/fragment", "/script", "/strict", "/meta", "/tagged", "/saved")


def _wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    query()
    if path == "/generator":
        start_response("200 OK", [("Content-Type", HTML), ("Content-Length", str(len(PAGE)))])
        return iter([PAGE[:20].encode(), PAGE[20:].encode()])
    if path == "/written":
        start_response("200 OK", [("Content-Type", HTML), ("Content-Length", str(len(PAGE)))])(PAGE.encode())
        return []
    if path == "/changed-its-mind":
        start_response("200 OK", [("Content-Type", HTML), ("Content-Length", str(len(PAGE)))])
        try:
            raise ValueError("late")
        except ValueError as error:
            start_response("500 Error", [("Content-Type", "text/plain")], (type(error), error, None))
        return [b"sorry"]
    kind, headers, body = ANSWERS[path]
    head = [("Content-Type", kind), ("Content-Length", str(len(body))), *headers.items()]
    start_response("200 OK", head)
    return [body]


def wsgi() -> Any:
    return apm_agent.wsgi(_wsgi, **SETTINGS)


def flasks() -> Any:
    from flask import Flask, Response

    from apm_agent.integrations import flask as integration

    app = Flask("pages")

    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[str]:
            yield HEAD
            yield "</body></html>"

        return Response(parts(), content_type=HTML)

    @app.get("/<name>")
    def answer(name: str) -> Response:
        query()
        kind, headers, body = ANSWERS[f"/{name}"]
        return Response(body, content_type=kind, headers=headers)

    integration.init_app(app, **SETTINGS)
    return app


def _starlette_routes() -> Any:
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    async def answer(request: Request) -> Response:
        query()
        kind, headers, body = ANSWERS[request.url.path]
        return Response(body, headers={"content-type": kind, **headers})

    async def stream(request: Request) -> Response:
        async def parts() -> Any:
            yield HEAD
            yield "</body></html>"

        return StreamingResponse(parts(), headers={"content-type": HTML})

    return [Route("/stream", stream), Route("/{name}", answer)]


def starlettes() -> Any:
    from starlette.applications import Starlette

    from apm_agent.integrations.starlette import APMMiddleware

    app = Starlette(routes=_starlette_routes())
    app.add_middleware(APMMiddleware, **SETTINGS)
    return app


def fastapis() -> Any:
    from fastapi import FastAPI

    from apm_agent.integrations.fastapi import APMMiddleware

    app = FastAPI(openapi_url=None, routes=_starlette_routes())
    app.add_middleware(APMMiddleware, **SETTINGS)
    return app


def _django() -> None:
    import django
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
    from django.urls import path

    def answer(request: HttpRequest, name: str) -> HttpResponse:
        query()
        kind, headers, body = ANSWERS[f"/{name}"]
        return HttpResponse(body, content_type=kind, headers=headers)

    def stream(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(iter([HEAD, "</body></html>"]), content_type=HTML)

    global urlpatterns
    urlpatterns = [path("stream", stream), path("<str:name>", answer)]
    if not settings.configured:
        settings.configure(
            SECRET_KEY="x" * 50,
            ROOT_URLCONF=__name__,
            ALLOWED_HOSTS=["*"],
            INSTALLED_APPS=["apm_agent.integrations.django"],
            MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
            APM_AGENT=SETTINGS,
        )
        django.setup()


urlpatterns: list[Any] = []


def django_wsgi() -> Any:
    from django.core.wsgi import get_wsgi_application

    _django()
    return get_wsgi_application()


def django_asgi() -> Any:
    from django.core.asgi import get_asgi_application

    _django()
    return get_asgi_application()


_chosen = os.environ.get("SITE_APP")
if _chosen:
    app = globals()[_chosen]()
