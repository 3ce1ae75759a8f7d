"""httpx: a span a request, sync and async, until the headers of the last redirect are there (or the body)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import http
from apm_agent.instruments.rows import Returning, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing import propagation

_telling = contained("telling a host its trace")


def send(span: Span, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``Client.send(request, …)``."""
    request = args[0] if args else kwargs["request"]
    http.describe(span, request.method, str(request.url))


def answer(span: Span, response: Any, args: tuple[Any, ...]) -> None:
    """An `httpx.Response`."""
    http.status(span, response.status_code)


def tell(wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``Client._send_single_request(request)``, once a hop."""
    if propagation.active():
        with _telling:
            _tell(args[0] if args else kwargs["request"])
    return wrapped(*args, **kwargs)


async def tell_async(
    wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """The same of an async client."""
    return await tell(wrapped, client, args, kwargs)


def _tell(request: Any) -> None:
    headers, name = request.headers, propagation.HEADER
    header = propagation.header_for(request.url.host)
    given = headers.get(name)
    if given is None:
        if header is not None:
            headers[name] = header
    # The request of a redirect has the headers of the one before.
    elif header is None and given == propagation.header_of_current():
        del headers[name]


PATCHES = (
    Timed("httpx._client:Client.send", send, kind="http", leaf=True, finish=answer),
    Timed("httpx._client:AsyncClient.send", send, kind="http", leaf=True, finish=answer),
    Returning("httpx._client:Client._send_single_request", tell),
    Returning("httpx._client:AsyncClient._send_single_request", tell_async),
)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "httpx (sync, async)",
    "patch of `Client.send` and `AsyncClient.send`",
    "method and host, URL without query and credentials, status; redirects and retries included",
    ("httpx",),
)
