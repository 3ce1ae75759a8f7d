"""Falcon, WSGI and ASGI: the URI template its router found, and the exception its handlers make an answer of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations.routed import name_current, note_answered


def _routed(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
    found = wrapped(*args, **kwargs)
    # What a sink or nobody answers has no template.
    name_current(found[3], found[0])
    return found


def _status(args: Any, kwargs: Any) -> object:
    response = args[1] if len(args) > 1 else kwargs.get("resp")
    if response is None:
        return None  # a WebSocket has none: what it raised is a failure
    status = getattr(response, "status_code", None)
    if status is None:  # before Falcon 4: 404, "404 Not Found" or an HTTPStatus
        text = str(getattr(response.status, "value", response.status))[:3]
        status = int(text) if text.isdecimal() else None
    return status


def _error(args: Any, kwargs: Any) -> Any:
    return args[2] if len(args) > 2 else kwargs.get("ex")


def _handled(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
    is_handled = wrapped(*args, **kwargs)
    if is_handled:  # what is not goes on to the middleware around
        note_answered(_error(args, kwargs), _status(args, kwargs))
    return is_handled


async def _handled_async(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
    is_handled = await wrapped(*args, **kwargs)
    if is_handled:
        note_answered(_error(args, kwargs), _status(args, kwargs))
    return is_handled


PATCHES = (
    Returning("falcon.app:App._get_responder", _routed),
    Returning("falcon.app:App._handle_exception", _handled),
    Returning("falcon.asgi.app:App._handle_exception", _handled_async),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Falcon (WSGI, ASGI)",
    "WSGI and ASGI; patch of `App._get_responder` and `_handle_exception`",
    "requests by method and URI template, the exception behind a 500",
    ("falcon",),
)
