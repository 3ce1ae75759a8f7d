"""aiohttp's server: a transaction from a parsed request to the last byte, under `run_app` and gunicorn alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import native
from apm_agent.integrations.routed import name_current
from apm_agent.tracing.current import current_transaction
from apm_agent.tracing.tracer import capture_exception

_preparing = contained("reading a response")


async def _served(wrapped: Callable[..., Any], protocol: Any, args: Any, kwargs: Any) -> Any:
    request = args[0] if args else kwargs["request"]
    served = native.begin("web", request.method, request.path, request.headers.get)
    if served is None:
        return await wrapped(*args, **kwargs)
    try:
        result = await wrapped(*args, **kwargs)
    except BaseException as error:
        served.end(error)
        raise
    served.end(status=getattr(result[0], "status", None))
    return result


async def _prepared(wrapped: Callable[..., Any], request: Any, args: Any, kwargs: Any) -> Any:
    # aiohttp comes here with every response before its head is sent, of whatever kind it is.
    transaction = current_transaction()
    if transaction is not None and args:
        with _preparing:
            status = args[0].status
            if status == 101:
                transaction.kind, transaction.method = "websocket", "WS"
            elif native.is_events(args[0].headers.get("Content-Type")):
                transaction.kind = "stream"
            _name(request)
            native.arrive(transaction, status)
    return await wrapped(*args, **kwargs)


def _name(request: Any) -> None:
    found = getattr(request, "_match_info", None)  # None: a server without routes
    if found is None or found.http_exception is not None:
        return
    resource = found.route.resource
    if resource is not None:
        name_current(resource.canonical, found.handler)


def _failed(wrapped: Callable[..., Any], protocol: Any, args: Any, kwargs: Any) -> Any:
    error = args[2] if len(args) > 2 else kwargs.get("exc")
    status = args[1] if len(args) > 1 else kwargs.get("status", 500)
    if isinstance(error, BaseException) and status >= 500:
        capture_exception(error)
    return wrapped(*args, **kwargs)


PATCHES = (
    Returning("aiohttp.web_protocol:RequestHandler._handle_request", _served),
    Returning("aiohttp.web_protocol:RequestHandler.handle_error", _failed),
    Returning("aiohttp.web_request:Request._prepare_hook", _prepared),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "aiohttp server",
    "patch of the protocol's `_handle_request`, `handle_error` and of `Request._prepare_hook`; also under "
    "gunicorn's `aiohttp.GunicornWebWorker`",
    "requests by method and resource, websockets and event streams apart, the exception behind a 500",
    ("aiohttp",),
)
