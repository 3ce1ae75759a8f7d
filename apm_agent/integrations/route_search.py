"""Finds the route of an endpoint in a Starlette router, for versions that do not leave it in the scope."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

#: (router, endpoint, names of parameters) → template, with the endpoint kept so that its id stays its own.
_known: dict[tuple[int, int, tuple[str, ...]], tuple[str | None, Any]] = {}
_MOST = 4096
_DEEPEST = 20


def template_of(router: Any, endpoint: Any, parameters: Collection[str]) -> str | None:
    """The full template of the route that calls `endpoint`, mounts included; None when none does."""
    key = (id(router), id(endpoint), tuple(parameters))
    known = _known.get(key)
    if known is None:
        if len(_known) >= _MOST:
            _known.clear()
        known = _known[key] = (_search(router, endpoint, set(parameters)), (router, endpoint))
    return known[0]


def _search(router: Any, endpoint: Any, parameters: set[str]) -> str | None:
    first = None
    for template, names in _templates(router, endpoint, "", set(), 0):
        if names == parameters:
            return template
        first = first or template
    return first


def _templates(
    router: Any, endpoint: Any, prefix: str, names: set[str], depth: int
) -> Iterator[tuple[str, set[str]]]:
    for route in getattr(router, "routes", None) or () if depth < _DEEPEST else ():
        path = prefix + getattr(route, "path", "")
        here = names | set(getattr(route, "param_convertors", ()))
        if getattr(route, "endpoint", None) is endpoint:
            yield path, here
        elif hasattr(route, "routes"):  # a Mount or Host; its own parameter `path` is what is left over
            here -= {"path"}
            yield from _templates(route, endpoint, path, here, depth + 1)
            if getattr(route, "app", None) is endpoint:
                yield path + "/{path}", here
