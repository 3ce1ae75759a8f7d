"""Names of Django's endpoints: the route its resolver matched, and the view."""

from __future__ import annotations

import re
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.support import Support
from apm_agent.integrations.naming import name_unmatched, of_route, view_of
from apm_agent.model.transaction import ROUTE, Transaction

_naming = contained("naming a transaction")

#: (id of the view, route, method) → name, view, and the view itself, so that its id stays its own.
_known: dict[tuple[int, Any, str | None], tuple[str, str | None, Any]] = {}
#: route → template. Routes are as many as the application wrote; a language prefix multiplies them.
_templates: dict[str, str] = {}
_MOST = 4096

_ANCHORS = re.compile(r"(?<!\\)[\^$]|\\[AZzbB]")
_NAMED = re.compile(r"\(\?P(<\w+>)")
_ESCAPED = re.compile(r"\\(?=[^\w\s])")


def name_request(transaction: Transaction, request: Any) -> None:
    """Name a transaction by what the resolver matched; what no route matched shares one name a status."""
    try:
        match = getattr(request, "resolver_match", None)
        if match is not None:
            func = match.func
            here = (id(func), match.route, transaction.method)
            known = _known.get(here)
            if known is None:
                known = _learn(here, func)
            if transaction.name_priority <= ROUTE:
                transaction.name, view, _ = known
                transaction.name_priority = ROUTE
            else:
                view = known[1]
            if view is not None:
                transaction.view = view
        elif not 200 <= (transaction.status or 0) < 300:
            name_unmatched(transaction)
    except BaseException as error:
        if not _naming.holds(error):
            raise


def _learn(here: tuple[int, Any, str | None], func: Any) -> tuple[str, str | None, Any]:
    if len(_known) >= _MOST:
        _known.clear()
    known = _known[here] = (of_route(here[2] or "OTHER", template_of(here[1] or "")), _view(func), func)
    return known


def template_of(route: str) -> str:
    """``/notes/<int:pk>/`` of the route ``notes/<int:pk>/``; of a pattern ``/articles/<year>/``."""
    template = _templates.get(route)
    if template is None:
        if len(_templates) >= _MOST:
            _templates.clear()
        template = _templates[route] = "/" + _plain(str(route)).lstrip("/")
    return template


def _plain(route: str) -> str:
    if not any(mark in route for mark in "^$(\\"):
        return route
    text = _ANCHORS.sub("", _groups(route))
    return _ESCAPED.sub("", text).replace("?", "")


def _groups(pattern: str) -> str:
    """The pattern with each outermost group as its name, or `<…>` when it has none."""
    kept: list[str] = []
    depth, start, at = 0, 0, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            kept += pattern[at : at + 2] if depth == 0 else ""
            at += 2
            continue
        if char == "(":
            start = at if depth == 0 else start
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            if depth == 0:
                named = _NAMED.match(pattern, start)
                kept += named[1] if named else "" if pattern.startswith("(?", start) else "<…>"
        elif depth == 0:
            kept.append(char)
        at += 1
    return "".join(kept)


def _view(func: Any) -> str | None:
    view = view_of(func)
    actions = getattr(func, "actions", None)  # of a REST framework viewset: verb → method
    if view is not None and isinstance(actions, dict) and actions:
        return f"{view}.{'/'.join(sorted(set(map(str, actions.values()))))}"[:200]
    return view


#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Django REST framework, Django Ninja",
    "they sit on Django",
    "requests by method and route, the exception behind a 500",
    ("djangorestframework", "django-ninja"),
)
