"""One ASGI request on its way: what the application says in the messages it sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from sys import exc_info
from typing import Any

from apm_agent.errors import contained
from apm_agent.integrations.facts import is_failure
from apm_agent.integrations.naming import settle
from apm_agent.integrations.places import name_asgi
from apm_agent.model.transaction import ROUTE, Transaction
from apm_agent.tracing.tracer import Tracer

_finishing = contained("finishing a request")

_START = frozenset({"http.response.start", "websocket.http.response.start"})
_BODY = frozenset({"http.response.body", "http.response.pathsend"})


class Exchange:
    """What is known of the answer of one request or connection: the same few words however many messages pass.

    `pass_on` is its `send`, a plain callable that returns what the server's `send` returned: only parts of a stream,
    which may find the client gone, cost a coroutine of ours.
    """

    __slots__ = ("active", "gone", "headers", "scope", "send", "trailers", "transaction")

    def __init__(
        self,
        active: Tracer,
        transaction: Transaction,
        scope: dict[str, Any],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        self.active = active
        self.transaction = transaction
        self.scope = scope
        self.send = send
        self.headers: Any = None
        self.trailers: Any = False
        self.gone = False

    def pass_on(self, message: dict[str, Any]) -> Awaitable[None]:
        """Note what a message says, and hand it on as it came; a method, because a call of an object is slower."""
        kind = message["type"]
        transaction = self.transaction
        if kind in _BODY:
            if message.get("more_body", False):
                return self._part(message)
            # Ended before it is sent, so that what a client has seen is recorded.
            if not self.trailers and transaction.kind != "websocket":
                # Starlette answers 500 while it handles the exception, which it raises after the last byte.
                failed = (transaction.status or 0) >= 500
                self.end(exc_info()[1] if failed else None)
        elif not transaction.ended:
            if kind in _START:
                self.headers = message.get("headers")
                self.trailers = message.get("trailers", False)
                self._arrive(message.get("status"))
            elif kind == "websocket.accept":
                self._arrive(101)
            elif kind == "websocket.close" and transaction.status is None:
                self._arrive(403)  # what servers answer when a handshake is refused
        return self.send(message)

    def _arrive(self, status: object) -> None:
        transaction = self.transaction
        transaction.status = status if isinstance(status, int) else None
        transaction.first_byte_ns = self.active.monotonic() - transaction.start_ns
        name_asgi(transaction, self.scope)

    async def _part(self, message: dict[str, Any]) -> None:
        if self.headers is not None:
            self._look_for_events()
        try:
            await self.send(message)
        except OSError:
            self.gone = True  # the peer left; that the application hears of it is no failure of its own
            raise

    def _look_for_events(self) -> None:
        headers, self.headers = self.headers, None
        with _finishing:
            # Server-sent events are a long connection, not a slow request.
            for name, value in headers:
                if name.lower() == b"content-type" and value.startswith(b"text/event-stream"):
                    self.transaction.kind = "stream"

    def end(self, error: BaseException | None = None) -> None:
        """End the transaction, once."""
        transaction = self.transaction
        if transaction.ended:
            return
        if error is not None:
            if self.gone or not is_failure(error):
                error = None
            elif transaction.status is None:
                transaction.status = 500  # what servers answer when an application gave none
        if transaction.status is None or transaction.kind == "websocket":
            name_asgi(transaction, self.scope)
        if transaction.name_priority != ROUTE:
            settle(transaction)
        self.active.end(transaction, error)
