"""Tornado: a transaction a request handler, named by the pattern of its rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations import native
from apm_agent.integrations.django.naming import template_of
from apm_agent.integrations.routed import name_current
from apm_agent.tracing.current import current_transaction
from apm_agent.tracing.tracer import capture_exception

_naming = contained("naming a transaction")
_answering = contained("reading a response")

#: (id of the application, handler's class) → its rules, and the application, so that its id stays its own.
_rules: dict[tuple[int, type], tuple[list[Any], Any]] = {}
_MOST = 4096
_DEEPEST = 20


async def _executed(wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
    request = handler.request
    kind = "websocket" if hasattr(handler, "ws_connection") else "web"
    served = native.begin(kind, request.method, request.path, request.headers.get)
    if served is None:
        return await wrapped(*args, **kwargs)
    with _naming:
        name_current(_template(handler, request), type(handler))
    try:
        result = await wrapped(*args, **kwargs)
    except BaseException as error:
        served.end(error)
        raise
    served.end(status=handler.get_status())
    return result


def _template(handler: Any, request: Any) -> str | None:
    application, kind = handler.application, type(handler)
    key = (id(application), kind)
    known = _rules.get(key)
    if known is None:
        rules = list(_rules_of(application.default_router, kind, 0))
        if not rules:
            return None  # what answers where no rule matched
        if len(_rules) >= _MOST:
            _rules.clear()
        known = _rules[key] = (rules, application)
    rules = known[0]
    rule = (
        rules[0]
        if len(rules) == 1
        else next((r for r in rules if r.matcher.match(request) is not None), None)
    )
    pattern = getattr(getattr(rule, "matcher", None), "regex", None)
    return template_of(pattern.pattern) if pattern is not None else None


def _rules_of(router: Any, kind: type, depth: int) -> Iterator[Any]:
    for rule in getattr(router, "rules", ()) if depth < _DEEPEST else ():
        if rule.target is kind:
            yield rule
        else:
            yield from _rules_of(rule.target, kind, depth + 1)


def _flushed(wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
    transaction = current_transaction()
    if transaction is not None and transaction.first_byte_ns is None:
        with _answering:
            native.arrive(transaction, handler.get_status())
            if native.is_events(handler._headers.get("Content-Type")):
                transaction.kind = "stream"
    return wrapped(*args, **kwargs)


def _failed(wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
    error = args[0] if args else kwargs.get("e")
    # `Finish` ends a request early; an HTTPError says what is answered, and below 500 nothing has failed.
    if isinstance(error, BaseException) and type(error).__name__ != "Finish":
        status = getattr(error, "status_code", 500)
        if not isinstance(status, int) or status >= 500:
            capture_exception(error)
    return wrapped(*args, **kwargs)


PATCHES = (
    Returning("tornado.web:RequestHandler._execute", _executed),
    Returning("tornado.web:RequestHandler.flush", _flushed),
    Returning("tornado.web:RequestHandler._handle_request_exception", _failed),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Tornado",
    "patch of `RequestHandler._execute`, `flush` and `_handle_request_exception`",
    "requests by method and pattern, websockets and event streams apart, the exception behind a 500",
    ("tornado",),
)
