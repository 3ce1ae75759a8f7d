"""Background tasks of Starlette and FastAPI, behind the real application and under a real server."""

from __future__ import annotations

import functools
import inspect
import urllib.request
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from apm_agent.instruments import patching
from apm_agent.integrations import asgi
from apm_agent.model.scrub import scrub_text
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from servers import free_port, uvicorn

HERE = __name__
PASSED: list[Any] = []


def blocking(value: int) -> None:
    span = tracing.open_span("code", "inside")
    assert span is not None
    tracing.close_span(span)
    PASSED.append(value)


async def waiting(value: int) -> None:
    PASSED.append(value)


async def broken() -> None:
    raise ValueError("no such card: 'hunter2'")


async def get(app: Any, path: str = "/") -> None:
    transport = httpx.ASGITransport(asgi.Middleware(app, None), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        assert (await client.get(path)).status_code == 200


def _id(transaction: Transaction) -> str:
    assert transaction.notes is not None
    return f"{transaction.notes['identity']:016x}"


async def test_each_task_is_a_transaction_after_the_response(seen: list[Transaction]) -> None:
    app = FastAPI()

    @app.get("/")
    async def view(tasks: BackgroundTasks) -> dict[str, int]:
        tasks.add_task(blocking, 1)
        tasks.add_task(functools.partial(waiting, 2))
        return {}

    PASSED.clear()
    await get(app)
    assert PASSED == [1, 2]
    request, first, second = seen
    assert (request.kind, request.name) == ("web", "GET /")
    assert [(job.kind, job.name) for job in (first, second)] == [
        ("background", f"{HERE}.blocking"),
        ("background", f"{HERE}.waiting"),
    ]
    assert [span.name for span in first.spans] == ["inside"], "also in the thread it runs in"
    for job in (first, second):
        assert job.context == {"enqueued_by": _id(request)}
        assert job.queue_ns is not None
        assert job.start_ns >= request.end_ns


async def test_its_failure_is_its_own(seen: list[Transaction]) -> None:
    def view(request: Any) -> Any:
        return PlainTextResponse("fine", background=BackgroundTask(broken))

    await get(Starlette(routes=[Route("/", view)]))
    request, job = seen
    assert request.failure is None
    assert job.failure is not None
    assert job.failure.type == "ValueError"
    assert "hunter2" not in scrub_text(job.failure.message)  # as the writer does


@pytest.mark.parametrize("streamed", [False, True])
async def test_r14_under_a_middleware_in_a_task_of_its_own(seen: list[Transaction], streamed: bool) -> None:
    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    async def parts() -> Any:
        yield b"one"
        yield b"two"

    def view(request: Any) -> Any:
        task = BackgroundTask(blocking, 3)
        return (
            StreamingResponse(parts(), background=task)
            if streamed
            else PlainTextResponse("", background=task)
        )

    PASSED.clear()
    await get(Starlette(routes=[Route("/", view)], middleware=[Middleware(Passing)] * 3))
    assert PASSED == [3]
    (request,) = (one for one in seen if one.kind == "web")
    (job,) = (one for one in seen if one.kind == "background")
    assert job.name == f"{HERE}.blocking"
    assert job.context == {"enqueued_by": _id(request)}
    assert all(span.name != "inside" for span in request.spans)


async def test_a_task_awaited_by_another_is_part_of_it(seen: list[Transaction]) -> None:
    async def outer() -> None:
        await BackgroundTask(waiting, 1)()

    await BackgroundTask(outer)()
    (job,) = seen
    assert [span.name for span in job.spans] == [f"{HERE}.waiting"]


def test_what_is_patched_stays_what_it_was() -> None:
    before = {name: vars(BackgroundTask)[name] for name in ("__init__", "__call__")}
    patching.apply()
    for name, original in before.items():
        now = vars(BackgroundTask)[name]
        assert inspect.signature(now) == inspect.signature(original)
        assert inspect.iscoroutinefunction(now) == inspect.iscoroutinefunction(original)
    patching.remove()
    assert {name: vars(BackgroundTask)[name] for name in before} == before


APP = """
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()

def mail(address):
    pass

@app.post("/orders")
def order(tasks: BackgroundTasks):
    tasks.add_task(mail, "someone@example.com")
    return {}
"""


@pytest.mark.server
def test_under_a_server(site: Any) -> None:
    site.write("shop.py", APP)
    port = free_port()
    _, *command = uvicorn("shop:app", port)
    with site.program("uvicorn", *command, port=port) as server:
        urllib.request.urlopen(
            urllib.request.Request(f"{server.url}/orders", method="POST"), timeout=10
        ).close()
        job = site.one("shop.mail")
        assert job.context["enqueued_by"] == site.one("POST /orders").hex
