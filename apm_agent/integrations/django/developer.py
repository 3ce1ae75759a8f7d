"""Tells a developer in the responses of Django, where its middleware has timed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse

from apm_agent.config import Config
from apm_agent.errors import contained
from apm_agent.integrations import developer
from apm_agent.integrations.developer import Developer
from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction
from apm_agent.tracing.tracer import Tracer

_telling = contained("telling a developer of a response")

Finish = Callable[[Tracer, Transaction, bool, Any, Any], None]


def finishing(finish: Finish, config: Config) -> Finish:
    """`finish` of the middleware, and then what is told."""
    told = developer.of(config)

    def telling(active: Tracer, transaction: Transaction, is_ours: bool, request: Any, response: Any) -> None:
        spans = transaction.spans
        finish(active, transaction, is_ours, request, response)
        if is_ours:  # else who times it further out tells it too
            with _telling:
                _tell(told, transaction, spans, request, response)

    return telling


def _tell(told: Developer, transaction: Transaction, spans: list[Span], request: Any, response: Any) -> None:
    sent = {name.lower(): value for name, value in request.headers.items()}
    peer, protocol = request.META.get("REMOTE_ADDR") or "", request.META.get("SERVER_PROTOCOL", "")
    if not told.tells(peer, sent, protocol):
        return
    figures = developer.told(transaction, spans)
    times = figures.header()
    if response.has_header(developer.HEADER):  # Django keeps one of a name
        times = f"{response[developer.HEADER]}, {times}"
    response[developer.HEADER] = times
    if not told.mount or response.streaming or not isinstance(response, HttpResponse):
        return
    body = response.content
    headers = [*response.items()]
    if not response.has_header("Content-Length"):
        headers.append(("Content-Length", str(len(body))))  # a server adds it, and the page is whole
    if not developer.wants_page(request.method, sent) or developer.fits(response.status_code, headers) != len(
        body
    ):
        return
    changed = developer.with_badge(
        body, told.snippet(transaction, figures, request.META.get("SCRIPT_NAME", ""))
    )
    if changed is None:
        return
    response.content = changed
    if response.has_header("Content-Length"):
        response["Content-Length"] = str(len(changed))
