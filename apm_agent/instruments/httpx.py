"""httpx: a span a request, sync and async, until the headers of the last redirect are there (or the body)."""

from __future__ import annotations

from typing import Any

from apm_agent.instruments import http
from apm_agent.instruments.rows import Timed
from apm_agent.model.span import Span


def send(span: Span, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``Client.send(request, …)``."""
    request = args[0] if args else kwargs["request"]
    http.describe(span, request.method, str(request.url))


def answer(span: Span, response: Any, args: tuple[Any, ...]) -> None:
    """An `httpx.Response`."""
    http.status(span, response.status_code)


PATCHES = (
    Timed("httpx._client:Client.send", send, kind="http", leaf=True, finish=answer),
    Timed("httpx._client:AsyncClient.send", send, kind="http", leaf=True, finish=answer),
)
