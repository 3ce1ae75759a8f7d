"""Starlette and FastAPI applications, called through httpx's ASGI transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from a2wsgi import WSGIMiddleware
from fastapi import APIRouter, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from apm_agent.integrations import fastapi as for_fastapi
from apm_agent.integrations import starlette as for_starlette
from apm_agent.integrations.asgi import APMMiddleware
from apm_agent.integrations.flask import init_app
from apm_agent.model.transaction import Transaction
from apm_agent.tracing.blocks import span

Seen = list[Transaction]


class Oops(Exception):
    pass


async def user(request: Request) -> Response:
    with span("user"):
        await asyncio.sleep(0)
    return PlainTextResponse("x")


def threaded(request: Request) -> Response:
    with span("threaded"):
        return PlainTextResponse("x")


async def executor(request: Request) -> Response:
    def work() -> None:
        with span("executor"):
            pass

    await run_in_threadpool(work)
    await asyncio.to_thread(work)
    return PlainTextResponse("x")


async def fail(request: Request) -> Response:
    raise Oops("x")


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for n in range(3):
            with span(f"part {n}"):
                yield b"x"

    async def afterwards() -> None:
        with span("background"):
            await asyncio.sleep(0)

    return StreamingResponse(parts(), background=BackgroundTask(afterwards))


def routes(tmp: str = ".") -> list[Any]:
    return [
        Route("/users/{id:int}", user, methods=["GET"]),
        Route("/threaded", threaded),
        Route("/executor", executor),
        Route("/fail", fail),
        Route("/stream", stream),
        Mount("/{tenant}/api", routes=[Route("/users/{id}", user), Route("/", user)]),
        Mount("/static", StaticFiles(directory=tmp)),
    ]


def added(app: Starlette) -> Any:
    app.add_middleware(for_starlette.APMMiddleware, enabled=False)
    return app


def around(app: Any) -> Any:
    return APMMiddleware(app, enabled=False)


async def get(app: Any, *paths: str, method: str = "GET") -> list[httpx.Response]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return [await client.request(method, path) for path in paths]


@pytest.mark.parametrize("way", [added, around])
async def test_names_are_methods_and_routes(seen: Seen, way: Callable[..., Any], tmp_path: Any) -> None:
    (tmp_path / "a.css").write_text("x")
    app = way(Starlette(routes=routes(str(tmp_path))))
    await get(
        app, "/users/7", "/users/x", "/users/7/", "/acme/api/users/9", "/acme/api/", "/acme/api/no",
        "/static/a.css", "/static/b.css", "/no",
    )  # fmt: skip
    await get(app, "/users/7", method="POST")
    assert [t.name for t in seen] == [
        "GET /users/{id:int}", "GET 404", "GET 307", "GET /{tenant}/api/users/{id}", "GET /{tenant}/api/",
        "GET 404", "GET /static/{path}", "GET 404", "GET 404", "POST /users/{id:int}",
    ]  # fmt: skip
    assert seen[0].view == f"{__name__}:user"


async def test_a_router_that_leaves_no_route_is_searched(seen: Seen) -> None:
    """As older versions of Starlette do (0.27), and FastAPI for its own pages still."""

    class Older(Router):
        async def app(self, scope: Any, receive: Any, send: Any) -> None:
            inner = send

            async def forgetful(message: Any) -> None:
                scope.pop("route", None)
                await inner(message)

            await super().app(scope, receive, forgetful)

    await get(
        around(Older(routes=routes())),
        "/users/7",
        "/acme/api/users/9",
        "/acme/api/no",
        "/static/pyproject.toml",
        "/no",
    )
    assert [t.name for t in seen] == [
        "GET /users/{id:int}", "GET /{tenant}/api/users/{id}", "GET 404", "GET /static/{path}", "GET 404",
    ]  # fmt: skip


async def test_a_host_is_no_part_of_the_name(seen: Seen) -> None:
    await get(around(Router([Host("here", Router([Route("/a", user)]))])), "/a", "/b")
    assert [t.name for t in seen] == ["GET /a", "GET 404"]


@pytest.mark.parametrize("way", [added, around])
async def test_the_exception_that_became_a_500_is_the_failure(seen: Seen, way: Callable[..., Any]) -> None:
    [response] = await get(way(Starlette(routes=routes())), "/fail")
    assert response.status_code == 500
    [transaction] = seen
    assert (transaction.name, transaction.status) == ("GET /fail", 500)
    assert transaction.failure is not None
    assert transaction.failure.type == f"{__name__}.Oops"
    assert transaction.failure.place is not None
    assert transaction.failure.place[0].co_name == "fail"


async def test_a_handled_exception_is_no_failure(seen: Seen) -> None:
    app = Starlette(routes=routes(), exception_handlers={Oops: lambda r, e: PlainTextResponse("x", 409)})
    await get(added(app), "/fail")
    assert (seen[0].status, seen[0].failure) == (409, None)


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response


@pytest.mark.parametrize("order", ["outside", "inside", "between"])
async def test_r14_the_transaction_survives_three_base_http_middlewares(seen: Seen, order: str) -> None:
    app = Starlette(routes=routes())
    for n in range(4):
        if n == {"inside": 0, "between": 2, "outside": 3}[order]:
            app.add_middleware(for_starlette.APMMiddleware, enabled=False)
        else:
            app.add_middleware(Passing)
    await get(app, "/users/7", "/threaded", "/executor", "/stream")
    # Older Starlette (0.27) does background work before the last byte when one of these is in between.
    assert [(t.name, [s.name for s in t.spans if s.name != "background"]) for t in seen] == [
        ("GET /users/{id:int}", ["user"]),
        ("GET /threaded", ["threaded"]),
        ("GET /executor", ["executor", "executor"]),
        ("GET /stream", ["part 0", "part 1", "part 2"]),
    ]


async def test_fastapi_names_included_routers_in_full(seen: Seen) -> None:
    app, sub = FastAPI(), FastAPI()
    items, details = APIRouter(prefix="/items"), APIRouter()

    @items.get("/{id}")
    async def item(id: int) -> int:
        return id

    @details.get("/details/{key}")
    def detail(key: str) -> str:
        return key

    items.include_router(details)
    app.include_router(items, prefix="/v1")
    sub.include_router(items)
    app.mount("/sub", sub)
    app.add_middleware(for_fastapi.APMMiddleware, enabled=False)
    await get(app, "/v1/items/7", "/v1/items/x", "/v1/items/details/a", "/sub/items/7", "/docs", "/no")
    assert [(t.name, t.status) for t in seen] == [
        ("GET /v1/items/{id}", 200),
        ("GET /v1/items/{id}", 422),
        ("GET /v1/items/details/{key}", 200),
        ("GET /sub/items/{id}", 200),
        ("GET /docs", 200),
        ("GET 404", 404),
    ]
    assert seen[0].view is not None
    assert seen[0].view.endswith(":test_fastapi_names_included_routers_in_full.<locals>.item")


async def test_r43_wsgi_inside_asgi_is_one_transaction_named_by_the_inner(seen: Seen) -> None:
    inner = Flask("inner")
    inner.add_url_rule("/users/<int:id>", view_func=lambda id: f"{id}")
    init_app(inner, enabled=False)
    app = Starlette(routes=[Mount("/old", WSGIMiddleware(inner))])
    await get(added(app), "/old/users/7", "/old/no")
    assert [t.name for t in seen] == ["GET /old/users/<int:id>", "GET 404"]


async def test_r21_the_same_application_under_both_names_the_same(seen: Seen) -> None:
    app = Starlette(routes=routes())
    await get(around(added(app)), "/users/7")
    assert [t.name for t in seen] == ["GET /users/{id:int}"]
