"""Tells a developer in the responses of an ASGI application, between the server and what times it.

Only a response that says it is a whole page of HTML is held until its one message of a body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from apm_agent.config import Config
from apm_agent.errors import contained
from apm_agent.integrations import developer
from apm_agent.integrations.asgi_exchange import Exchange
from apm_agent.integrations.developer import Developer
from apm_agent.model.transaction import Transaction
from apm_agent.tracing.tracer import Tracer

_telling = contained("telling a developer of a response")

Send = Callable[[Any], Awaitable[None]]


def exchanging(config: Config) -> Callable[..., Exchange]:
    """What makes the `Exchange` of a request whose developer is told."""
    told = developer.of(config)

    def exchange(active: Tracer, transaction: Transaction, scope: dict[str, Any], send: Send) -> Exchange:
        wrapped: Send = send
        with _telling:
            wrapped = _of(transaction, scope, send, told) or send
        return Exchange(active, transaction, scope, wrapped)

    return exchange


def _of(transaction: Transaction, scope: dict[str, Any], send: Send, told: Developer) -> Send | None:
    headers = scope.get("headers")
    if scope["type"] != "http" or not isinstance(headers, (list, tuple)):
        return None
    sent = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    client = scope.get("client") or ("", 0)
    if not told.tells(client[0], sent, f"HTTP/{scope.get('http_version', '')}"):
        return None
    page = bool(told.mount) and developer.wants_page(scope.get("method", ""), sent)
    return _Send(transaction, send, told, scope.get("root_path", ""), page)


class _Send:
    """`send` of one request: holds back a start that may get a badge, and adds the header to all."""

    __slots__ = ("held", "length", "page", "prefix", "send", "spans", "told", "transaction")

    def __init__(
        self, transaction: Transaction, send: Send, told: Developer, prefix: str, page: bool
    ) -> None:
        self.transaction = transaction
        self.spans = transaction.spans
        self.send = send
        self.told = told
        self.prefix = prefix
        self.page = page
        self.held: dict[str, Any] | None = None
        self.length = 0

    async def __call__(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            hold = False
            with _telling:
                hold = self.page and self._fits(message)
            if hold:
                self.held = message
                return
            await self.send(self._with_times(message))
            return
        start, self.held = self.held, None
        if start is None:
            await self.send(message)
            return
        if kind == "http.response.body" and not message.get("more_body", False):
            marked: tuple[Any, Any] | None = None
            with _telling:
                marked = self._marked(start, message)
            if marked is not None:
                start, message = marked
        await self.send(self._with_times(start))
        await self.send(message)

    def _fits(self, message: dict[str, Any]) -> bool:
        headers = message.get("headers")
        if not isinstance(headers, (list, tuple)) or message.get("trailers", False):
            return False
        length = developer.fits(int(message["status"]), _as_text(headers))
        self.length = length or 0
        return length is not None

    def _marked(self, start: dict[str, Any], message: dict[str, Any]) -> tuple[Any, Any] | None:
        body = message.get("body", b"")
        if not isinstance(body, bytes) or len(body) != self.length:
            return None
        figures = developer.told(self.transaction, self.spans)
        changed = developer.with_badge(body, self.told.snippet(self.transaction, figures, self.prefix))
        if changed is None:
            return None
        length = str(len(changed)).encode()
        headers = [
            (name, length if name.lower() == b"content-length" else value) for name, value in start["headers"]
        ]
        return {**start, "headers": headers}, {**message, "body": changed}

    def _with_times(self, message: dict[str, Any]) -> dict[str, Any]:
        with _telling:
            value = developer.told(self.transaction, self.spans).header()
            headers = message.get("headers") or []
            if isinstance(headers, (list, tuple)):
                added = (developer.HEADER.lower().encode(), value.encode("ascii"))
                return {**message, "headers": [*headers, added]}
        return message


def _as_text(headers: Any) -> developer.Headers:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
