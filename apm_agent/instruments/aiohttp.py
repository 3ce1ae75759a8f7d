"""aiohttp's client: a span a request, redirects included, until the headers of the last answer are there.

Not through its trace configs: a session has those from its making, shows them to the application, and makes
objects and awaits signals for each step of every request.
"""

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


def request(span: Span, session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``ClientSession._request(method, url, …)``."""
    url = str(args[1] if len(args) > 1 else kwargs["str_or_url"])
    if "://" not in url.partition("?")[0]:  # below the session's own
        url = str(session._build_url(url))
    http.describe(span, args[0] if args else kwargs["method"], url)


def answer(span: Span, response: Any, args: tuple[Any, ...]) -> None:
    """A `ClientResponse`."""
    http.status(span, response.status)


async def send(
    wrapped: Callable[..., Any], message: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``ClientRequest.send(connection)``, once a hop: a redirect to a stranger takes nothing along."""
    if propagation.active():
        with _telling:
            if propagation.HEADER not in message.headers:
                header = propagation.header_for(message.url.host)
                if header is not None:
                    message.headers[propagation.HEADER] = header
    return await wrapped(*args, **kwargs)


PATCHES = (
    Timed("aiohttp.client:ClientSession._request", request, kind="http", leaf=True, finish=answer),
    Returning("aiohttp.client_reqrep:ClientRequest.send", send),
)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "aiohttp's client",
    "patch of `ClientSession._request`; its trace configs would cost each step of every request",
    "method and host, URL without query and credentials, status, until the headers of the last answer; "
    "connect and first byte are not told apart",
    ("aiohttp",),
)
