"""Channels beside Django: the route of a websocket, which its router keeps to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations.django.naming import template_of
from apm_agent.integrations.routed import name_current

_routing = contained("finding the route of a websocket")
#: Set on the scope by a router for those below it.
_BELOW = "path_remaining"


async def _routed(wrapped: Callable[..., Any], router: Any, args: Any, kwargs: Any) -> Any:
    scope = args[0] if args else kwargs.get("scope")
    # What it routes to Django over HTTP is named by Django; a router below another is part of that one's route.
    if scope is not None and scope.get("type") == "websocket" and _BELOW not in scope:
        with _routing:
            route, consumer = _found(router, scope["path"][len(scope.get("root_path", "")) :].lstrip("/"))
            if consumer is not None:
                name_current(template_of(route), consumer)
    return await wrapped(*args, **kwargs)


def _found(router: Any, path: str) -> tuple[str, Any]:
    """Route and consumer, looked for as the router is about to; no consumer where it finds none."""
    for route in router.routes:
        match = route.pattern.match(path)
        if not match:
            continue
        below = _router_in(route.callback)
        if below is None:
            return str(route.pattern), getattr(route.callback, "consumer_class", route.callback)
        rest, consumer = _found(below, match[0])
        if consumer is not None:
            return f"{route.pattern}{rest}", consumer
    return "", None


def _router_in(app: Any) -> Any:
    """The router that an application is, or that middlewares of Channels stand around."""
    while app is not None and not getattr(app, "_path_routing", False):
        app = getattr(app, "inner", None)
    return app


PATCHES = (Returning("channels.routing:URLRouter.__call__", _routed),)

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Channels",
    "ASGI around its `ProtocolTypeRouter`; patch of `URLRouter.__call__`",
    "websockets by the route of their consumer, what a consumer raises; HTTP as Django",
    ("channels",),
)
