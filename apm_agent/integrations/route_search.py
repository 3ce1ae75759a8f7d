"""Finds the route of an endpoint, for versions of Starlette and Litestar that do not leave it in the scope."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple


class Route(NamedTuple):
    """The full template of a route, mounts included; `is_mount` when none below the mount was chosen."""

    template: str
    is_mount: bool = False


#: (router, endpoint, names of parameters) → route, with the endpoint kept so that its id stays its own.
_known: dict[tuple[int, int, tuple[str, ...]], tuple[Route, Any]] = {}
_MOST = 4096
_DEEPEST = 20


Routes = Iterator[tuple[Route, set[str]]]


def in_starlette(router: Any, endpoint: Any) -> Routes:
    """Routes of a router that call `endpoint`, and the names of their parameters."""
    return _routes(router, endpoint, "", set(), 0)


def in_litestar(app: Any, handler: Any) -> Routes:
    """The same of Litestar's application."""
    for route in app.routes:
        if handler in getattr(route, "route_handlers", (getattr(route, "route_handler", None),)):
            yield Route(route.path_format), set(route.path_parameters)


def route_of(
    router: Any,
    endpoint: Any,
    parameters: Collection[str],
    search: Callable[[Any, Any], Routes] = in_starlette,
) -> Route:
    """The route that calls `endpoint`; one with an empty template when none does."""
    key = (id(router), id(endpoint), tuple(parameters))
    known = _known.get(key)
    if known is None:
        if len(_known) >= _MOST:
            _known.clear()
        known = _known[key] = (_chosen(search(router, endpoint), set(parameters)), (router, endpoint))
    return known[0]


def _chosen(routes: Routes, parameters: set[str]) -> Route:
    first = None
    for route, names in routes:
        if names == parameters:
            return route
        first = first or route
    return first or Route("")


def _routes(router: Any, endpoint: Any, prefix: str, names: set[str], depth: int) -> Routes:
    for route in getattr(router, "routes", None) or () if depth < _DEEPEST else ():
        path = prefix + getattr(route, "path", "")
        here = names | set(getattr(route, "param_convertors", ()))
        if getattr(route, "endpoint", None) is endpoint:
            yield Route(path), here
        elif hasattr(route, "routes"):  # a Mount or Host; its own parameter `path` is what is left over
            here -= {"path"}
            yield from _routes(route, endpoint, path, here, depth + 1)
            if getattr(route, "app", None) is endpoint:
                yield Route(path + "/{path}", is_mount=True), here
