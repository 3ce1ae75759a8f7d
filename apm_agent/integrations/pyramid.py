"""Pyramid: the pattern of the route that matched, and the exception a view was called to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations.routed import name_current, note_answered
from apm_agent.model.transaction import ROUTE
from apm_agent.tracing.current import current_transaction


def _routed(wrapped: Callable[..., Any], mapper: Any, args: Any, kwargs: Any) -> Any:
    found = wrapped(*args, **kwargs)
    route = found["route"]
    if route is not None:
        transaction = current_transaction()
        # A request made inside this one goes through here too, and is not what was asked for.
        if transaction is not None and transaction.name_priority < ROUTE:
            name_current(route.pattern, None)
    return found


def _answered(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    response = wrapped(*args, **kwargs)
    error = args[1] if len(args) > 1 else kwargs.get("exc")
    if isinstance(error, BaseException):
        note_answered(error, getattr(response, "status_code", None))
    return response


PATCHES = (
    Returning("pyramid.urldispatch:RoutesMapper.__call__", _routed),
    Returning("pyramid.tweens:_error_handler", _answered),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Pyramid",
    "WSGI; patch of `RoutesMapper.__call__` and of the exception tween",
    "requests by method and pattern, the exception behind a 500",
    ("pyramid",),
)
