"""Makes the names endpoints go by: method and route template, bounded in length and in number."""

from __future__ import annotations

import re

from apm_agent.errors import contained
from apm_agent.model.transaction import FALLBACK, ROUTE, USER, Transaction

#: What a transaction is called until something better is known, and what is called when names run out.
UNNAMED = "(unnamed)"
OTHER = "(other)"

METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "WS", "GRPC"}
)
_OTHER_METHOD = "OTHER"

_MOST_NAMES = 1000
#: Names made from paths have a smaller room of their own, so that made-up paths cannot crowd out real routes.
_MOST_PATH_NAMES = 200
_LONGEST_NAME = 200
_LONGEST_PATH = 300
_MOST_SEGMENTS = 6

_names: set[str] = set()
_path_names: set[str] = set()
#: what `of_path` said last, by method, path and status
_by_path: dict[tuple[str | None, str | None, int | None], str] = {}

_settling = contained("naming a transaction")

#: Parts of a path that are data: a number, a hexadecimal key, an address, or anything long.
_DATA = re.compile(r"\d+|(?=[^/]*\d)[0-9a-fA-F-]{8,}|[^/]*@[^/]*|(?=[^/]*\d)[^/]{16,}|[^/]{40,}")


def method_of(method: object) -> str:
    """The method if it is one people use, else ``OTHER``: clients may send any word."""
    return method if isinstance(method, str) and method in METHODS else _OTHER_METHOD


def path_of(path: object) -> str:
    """A path fit to keep: bounded, without control characters; the query string never belongs to it."""
    if not isinstance(path, str):
        return ""  # no server's request, but one made by hand
    if len(path) <= _LONGEST_PATH and path.isascii() and path.isprintable():
        return path
    cut = path[:_LONGEST_PATH]
    try:
        # WSGI hands bytes over as Latin-1 text; ASGI has decoded them already.
        cut = cut.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        cut = cut.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else "\ufffd" for c in cut)


def of_route(method: str, template: str) -> str:
    """``GET /users/<int:id>``: method and template as the application wrote it, if there is room."""
    text = f"{method} {template}" if template.startswith("/") else f"{method} /{template}"
    return admit(_tidy(text))


def of_unmatched(method: str, status: int | None) -> str:
    """``GET 404``: the one name of everything no route answered."""
    return admit(f"{method} {status or 0}")


def of_path(method: str, path: str, status: int | None) -> str:
    """A name where no routes are known: the path with data left out, if the application answered it."""
    if status is not None and 300 <= status < 500 and status != 304:
        return of_unmatched(method, status)
    parts = path_of(path).strip("/").split("/")
    kept = ["{id}" if _DATA.fullmatch(part) else part for part in parts[:_MOST_SEGMENTS]]
    if len(parts) > _MOST_SEGMENTS:
        kept.append("…")
    name = _tidy(f"{method} /{'/'.join(kept)}")
    if name in _names or name in _path_names:
        return name
    if len(_path_names) >= _MOST_PATH_NAMES:
        return OTHER
    _path_names.add(name)
    return name


def admit(name: str) -> str:
    """The name, or ``(other)`` when this process has as many names as it may have."""
    if name in _names:
        return name
    if len(_names) >= _MOST_NAMES:
        return OTHER
    _names.add(name)
    return name


def name_unmatched(transaction: Transaction, priority: int = ROUTE) -> None:
    """Name a transaction that no route of a framework matched."""
    transaction.rename(of_unmatched(transaction.method or _OTHER_METHOD, transaction.status), priority)


def settle(transaction: Transaction) -> None:
    """Give a transaction its last name: from its path if none was found, within bounds if a user gave it."""
    priority = transaction.name_priority
    if priority < FALLBACK:
        key = (transaction.method, transaction.path, transaction.status)
        known = _by_path.get(key)
        if known is None:
            with _settling:
                transaction.name = _learn_path(key)
        else:
            transaction.name = known
        transaction.name_priority = FALLBACK
    elif priority == USER:
        with _settling:
            transaction.name = admit(_tidy(transaction.name))


def _learn_path(key: tuple[str | None, str | None, int | None]) -> str:
    if len(_by_path) >= _MOST_NAMES:
        _by_path.clear()
    method, path, status = key
    name = _by_path[key] = of_path(method or _OTHER_METHOD, path or "/", status)
    return name


def view_of(view: object) -> str | None:
    """``module:qualname`` of a view, looked at through partials, class views and instances."""
    for attribute in ("func", "view_class", "cls"):
        inner = getattr(view, attribute, None)
        if callable(inner):
            view = inner
    name = getattr(view, "__qualname__", None)
    if not isinstance(name, str):
        view = type(view)
        name = view.__qualname__
    return _tidy(f"{getattr(view, '__module__', '')}:{name}")


def _tidy(name: str) -> str:
    cut = name[:_LONGEST_NAME]
    if cut.isascii() and cut.isprintable():
        return cut
    readable = cut.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else "\ufffd" for c in readable)
