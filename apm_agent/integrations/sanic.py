"""Sanic on its own server and under ASGI: a transaction a request, named by the route its router found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import native
from apm_agent.integrations.routed import name_current, note_answered

_wrapping = contained("wrapping an application")

Handle = Callable[[Any], Awaitable[None]]


def _connected(wrapped: Callable[..., Any], protocol: Any, args: Any, kwargs: Any) -> Any:
    # Not `Sanic.handle_request` itself: as it starts, Sanic compiles that anew from its source.
    result = wrapped(*args, **kwargs)
    with _wrapping:
        protocol.request_handler = _around(protocol.request_handler)
    return result


def _around(handle: Handle) -> Handle:
    async def served(request: Any) -> None:
        header = request.headers.get
        upgrade = header("upgrade", "")
        kind = "websocket" if upgrade.lower() == "websocket" else "web"
        began = native.begin(kind, request.method, request.path, header)
        if began is None:
            return await handle(request)
        try:
            await handle(request)
        except BaseException as error:
            began.end(error)
            raise
        response = getattr(request.stream, "response", None)
        if native.is_events(getattr(response, "content_type", None)):
            began.transaction.kind = "stream"
        began.end(status=101 if kind == "websocket" else getattr(response, "status", None))
        return None

    return served


def _routed(wrapped: Callable[..., Any], router: Any, args: Any, kwargs: Any) -> Any:
    found = wrapped(*args, **kwargs)
    name_current(f"/{found[0].path}", found[1])
    return found


def _answered(wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
    response = wrapped(*args, **kwargs)
    error = args[1] if len(args) > 1 else kwargs.get("exception")
    if isinstance(error, BaseException):
        # A handler of the application's own may be a coroutine: what the exception says is known already.
        status = getattr(response, "status", None) or getattr(error, "status_code", None)
        note_answered(error, status)
    return response


PATCHES = (
    Returning("sanic.server.protocols.http_protocol:HttpProtocol.__init__", _connected),
    Returning("sanic.router:Router.get", _routed),
    Returning("sanic.handlers.error:ErrorHandler.response", _answered),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Sanic",
    "patch of `HttpProtocol`, `Router.get` and `ErrorHandler.response`; also as ASGI",
    "requests by method and route, websockets and event streams apart, the exception behind a 500",
    ("sanic",),
)
