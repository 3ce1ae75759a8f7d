"""Where frameworks leave the route they chose; read as the response starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from apm_agent.errors import contained
from apm_agent.instruments.support import Support
from apm_agent.integrations.naming import name_unmatched, of_route, view_of
from apm_agent.integrations.route_search import Route, in_litestar, route_of
from apm_agent.model.transaction import FALLBACK, ROUTE, Transaction

_naming = contained("naming a transaction")

#: What routers answer themselves when they have no route.
_UNROUTED = (404, 405, 307)


class Found(NamedTuple):
    """A route as its framework keeps it: template and view; an empty template means no route matched."""

    template: str
    view: Callable[[], str | None] | None = None


def _werkzeug(request: Any) -> Any:
    # Werkzeug without Flask has no routes of its own; Flask that matched none says None.
    return getattr(request, "url_rule", None) or ("" if hasattr(request, "url_rule") else None)


def _view_of_rule(rule: Any, app: Any) -> str | None:
    views = getattr(app, "view_functions", None)
    view = views.get(rule.endpoint) if isinstance(views, dict) else None
    return view_of(view) if view is not None else None


def _bottle(route: Any) -> Any:
    return route


def _view_of_bottle(route: Any, app: Any) -> str | None:
    return view_of(route.callback)


#: Key in a WSGI environ → how to find the route from what lies there ("" when none matched, None when the
#: library has no routes), and the view from the route. Both keep their template in `rule`.
WSGI_PLACES: tuple[tuple[str, Callable[[Any], Any], Callable[[Any, Any], str | None]], ...] = (
    ("werkzeug.request", _werkzeug, _view_of_rule),
    ("bottle.route", _bottle, _view_of_bottle),
)

#: id of the route, method, SCRIPT_NAME as the request came to us, and as the framework saw it
Here = tuple[int, str | None, str, str | None]
#: name, view, and the route itself, so that its id stays its own
Known = tuple[str, str | None, Any]
_by_route: dict[Here, Known] = {}
#: (method, mount prefix, template, application) → name, view. Filled as routes are met; bounded by `_MOST`.
_seen: dict[tuple[str, str, str, int], tuple[str, str | None]] = {}
#: (id of the route, method) → the same, and the route itself, of an ASGI application's routes below no mount
_by_plain_route: dict[tuple[int, str | None], Known] = {}
_MOST = 4096


class Asked(Protocol):
    """A WSGI request whose transaction wants a name; it came to us with `script_name`."""

    transaction: Transaction
    environ: dict[str, Any]
    script_name: str
    framework: Any


def name_wsgi(asked: Asked) -> None:
    """Name a transaction by what the framework left in the environ."""
    try:
        environ = asked.environ
        for key, route_in, view_in in WSGI_PLACES:
            found = environ.get(key)
            if found is not None:
                route = route_in(found)
                transaction = asked.transaction
                here = (id(route), transaction.method, asked.script_name, environ.get("SCRIPT_NAME"))
                known = _by_route.get(here)
                if known is None:
                    known = _learn(transaction, here, route, view_in, asked.framework)
                if known is not None and transaction.name_priority <= ROUTE:
                    transaction.name, transaction.view, _ = known
                    transaction.name_priority = ROUTE
                return
    except BaseException as error:
        if not _naming.holds(error):
            raise


def _learn(
    transaction: Transaction, here: Here, route: Any, view_in: Callable[[Any, Any], str | None], app: Any
) -> Known | None:
    if route is None:
        return None
    if isinstance(route, str):  # by its kind, for Werkzeug's rules have an `==` of their own
        name_unmatched(transaction)
        return None
    if len(_by_route) >= _MOST:
        _by_route.clear()
    _, method, came_to, script_name = here
    # What the path lost to SCRIPT_NAME inside us is a prefix some dispatcher took off.
    prefix = (script_name or "")[len(came_to) :]
    known = _by_route[here] = (of_route(method or "OTHER", prefix + route.rule), view_in(route, app), route)
    return known


def name_asgi(transaction: Transaction, scope: Mapping[str, Any]) -> None:
    """Name a transaction by the route Starlette, FastAPI and their like leave in the scope."""
    route = scope.get("route")
    known = _by_plain_route.get((id(route), transaction.method))
    # Below a mount, and where FastAPI tells more of a route, it is called otherwise from request to request.
    if known is not None and "app_root_path" not in scope and "fastapi" not in scope:
        if transaction.name_priority <= ROUTE:
            transaction.name, transaction.view, _ = known
            transaction.name_priority = ROUTE
        return
    router = scope.get("router")
    if route is None and router is None:
        if "path_template" in scope or "route_handler" in scope:
            _name_litestar(transaction, scope)
        return
    with _naming:
        endpoint = scope.get("endpoint")
        app = scope.get("app")
        if route is not None:
            found = _starlette(scope, route, endpoint, transaction.status)
            # What is mounted may be no router: a name it gave itself from the inside is the better one.
            priority = FALLBACK if _is_mount(route) else ROUTE
            name = _name(transaction, _mounted(scope, route), found, app, priority)
            if (
                name is not None
                and priority == ROUTE
                and "app_root_path" not in scope
                and "fastapi" not in scope
            ):
                if len(_by_plain_route) >= _MOST:
                    _by_plain_route.clear()
                _by_plain_route[id(route), transaction.method] = (*name, route)
            return
        searched = (
            route_of(router, endpoint, scope.get("path_params") or ()) if endpoint is not None else Route("")
        )
        template = "" if searched.is_mount and transaction.status in _UNROUTED else searched.template
        priority = FALLBACK if searched.is_mount else ROUTE
        _name(transaction, "", Found(template, lambda: view_of(endpoint)), app, priority)


def _name_litestar(transaction: Transaction, scope: Mapping[str, Any]) -> None:
    with _naming:
        handler = scope.get("route_handler")
        template = scope.get("path_template")
        if template is None:  # before 2.12
            template = route_of(scope["app"], handler, scope.get("path_params") or (), in_litestar).template
        view = getattr(handler, "fn", handler)
        found = Found(template, lambda: view_of(getattr(view, "value", view)))
        _name(transaction, "", found, handler)


def _is_mount(route: Any) -> bool:
    # A Mount or a Host that is still the route is one below which none was chosen.
    return hasattr(route, "routes")


def _starlette(scope: Mapping[str, Any], route: Any, endpoint: Any, status: int | None) -> Found:
    view = (lambda: view_of(endpoint)) if endpoint is not None else None
    if _is_mount(route):
        return Found("" if status in _UNROUTED else "/{path}", view)
    # Newer FastAPI keeps the routes of an included router once; what they are called here is in the scope.
    here = scope.get("fastapi")
    context = here.get("effective_route_context") if isinstance(here, dict) else None
    if context is not None and route in (
        getattr(context, "original_route", None),
        getattr(context, "starlette_route", None),
    ):
        route = getattr(context, "starlette_route", None) or context
    return Found(getattr(route, "path", "") or getattr(route, "path_format", ""), view)


def _mounted(scope: Mapping[str, Any], route: Any) -> str:
    """The template of the mounts the request went through, with parameters in place of their values."""
    before = scope.get("app_root_path")
    if before is None:
        return ""
    prefix: str = scope.get("root_path", "")[len(before) :]
    template = getattr(route, "path", "")
    for name, value in (scope.get("path_params") or {}).items():
        if f"{{{name}" not in template:
            prefix = "/".join(f"{{{name}}}" if part == str(value) else part for part in prefix.split("/"))
    return prefix


def _name(
    transaction: Transaction, prefix: str, found: Found, app: Any, priority: int = ROUTE
) -> tuple[str, str | None] | None:
    """Name it, by a name that others may have won over; name and view are answered where a route was found."""
    if not found.template:
        name_unmatched(transaction, priority)
        return None
    key = (transaction.method or "", prefix, found.template, id(app))
    seen = _seen.get(key)
    if seen is None:
        if len(_seen) >= _MOST:
            _seen.clear()
        template = prefix + found.template if found.template != "/" or not prefix else prefix + "/"
        view = found.view() if found.view is not None else None
        seen = _seen[key] = (of_route(transaction.method or "OTHER", template), view)
    if priority >= transaction.name_priority:
        transaction.rename(seen[0], priority)
        transaction.view = seen[1]
    return seen


#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Litestar",
    "ASGI; what it leaves in the scope",
    "requests and websockets by method and template, the exception behind a 500",
    ("litestar",),
)
