"""Any ASGI application: a transaction a request or connection, from the scope to the last byte sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from apm_agent import agent
from apm_agent.config import Config
from apm_agent.errors import contained
from apm_agent.instruments.support import Support
from apm_agent.integrations import mount
from apm_agent.integrations.asgi_exchange import Exchange
from apm_agent.integrations.facts import queue_ns, wishes
from apm_agent.integrations.naming import UNNAMED, method_of, path_of
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current, transaction_of
from apm_agent.tracing.propagation import accept

App = Callable[[Any, Any, Any], Awaitable[None]]

#: Where a request carries its transaction, so that a second middleware knows it is being timed.
KEY = "apm_agent.transaction"

_writing = contained("writing as the server ends")
_TIMED = frozenset({"http", "websocket"})


class Middleware:
    """Times what `app` answers, by settings that are installed already."""

    def __init__(self, app: App, config: Config | None) -> None:
        self.app = app
        self._secret = config.cprofile_header if config is not None else ""
        self._mount = mount.at(config)
        self._exchange: Callable[..., Exchange] = Exchange
        if config is not None and config.developer:
            from apm_agent.integrations import developer_asgi

            self._exchange = developer_asgi.exchanging(config)

    async def __call__(  # noqa: PLR0912  (a function more would cost each request)
        self, scope: dict[str, Any], receive: Any, send: Any
    ) -> None:
        kind = scope["type"]
        active = tracing.tracer
        if kind not in _TIMED or active is None:
            await self.app(scope, receive, send)
            if kind == "lifespan" and active is not None:
                # uvicorn then ends by the signal it got, without exit handlers: this is the last moment.
                with _writing:
                    agent.flush()
            return
        path: str = scope.get("path", "")
        root: str = scope.get("root_path", "")
        # Servers put the prefix they were started with before the path since 2023; older ones leave it out.
        if root:
            try:
                path = path.removeprefix(root)
            except (AttributeError, TypeError):
                path = ""  # no server's request, but one made by hand
        if self._mount is not None and kind == "http" and self._mount.serves(path):
            await self._mount.asgi(scope, receive, send)
            return
        here = scope.get(KEY) or current.get()
        if here is not None and transaction_of(here) is not None:
            await self.app(scope, receive, send)
            return
        headers = scope.get("headers")
        # Headers may be any iterable, and an iterator can be read only once: by the application.
        try:
            known = dict(headers) if isinstance(headers, (list, tuple)) else {}
        except (TypeError, ValueError):  # no pairs: the application's to complain of
            known = {}
        notes = wishes(self._secret, known.get(b"x-apm-profile")) if self._secret else None
        if kind == "http":
            kind, method = "web", method_of(scope.get("method"))
        else:
            method = "WS"
        transaction = active.begin(kind, UNNAMED, notes, method, path_of(path))
        # The scope itself, not a copy: routers leave the route in it, and servers read it afterwards.
        scope[KEY] = transaction
        if b"x-request-start" in known or b"x-queue-start" in known or b"traceparent" in known:
            _note(transaction, known)
        exchange = self._exchange(active, transaction, scope, send)
        try:
            await self.app(scope, receive, exchange.pass_on)
        except BaseException as error:
            exchange.end(error)
            raise
        else:
            if not transaction.ended:
                exchange.end()
        finally:
            here = current.get()
            if here is not None and transaction_of(here) is None:
                current.set(None)


class APMMiddleware(Middleware):
    """``app = APMMiddleware(app)``: times an ASGI application and installs the agent with `settings`."""

    def __init__(self, app: App, **settings: Any) -> None:
        agent.install(settings)
        super().__init__(app, agent.config())


def _note(transaction: Transaction, headers: dict[bytes, bytes]) -> None:
    values = headers.get(b"x-request-start"), headers.get(b"x-queue-start")
    texts: Iterable[str | None] = (v.decode("latin-1") if isinstance(v, bytes) else None for v in values)
    transaction.queue_ns = queue_ns(*texts)
    accept(transaction, headers.get(b"traceparent"))


#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "any ASGI application",
    "the middleware `apm_agent.asgi(app)`",
    "requests by method and path, to the last byte sent; websockets and event streams apart",
    note="ASGI 3",
)
