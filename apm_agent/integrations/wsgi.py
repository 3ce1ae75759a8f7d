"""Any WSGI application: a transaction a request, from the call to the last byte of the body."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from apm_agent import agent
from apm_agent.config import Config
from apm_agent.instruments.support import Support
from apm_agent.integrations import mount
from apm_agent.integrations.facts import queue_ns, wishes
from apm_agent.integrations.naming import UNNAMED, method_of, path_of
from apm_agent.integrations.places import name_wsgi
from apm_agent.integrations.wsgi_exchange import Exchange, note_failure, number_of
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current, transaction_of
from apm_agent.tracing.propagation import accept

#: Where a request carries its transaction, so that a second middleware knows it is being timed.
KEY = "apm_agent.transaction"


class Middleware:
    """Times what `app` answers, by settings that are installed already."""

    def __init__(
        self, app: Callable[..., Iterable[bytes]], config: Config | None, framework: Any = None
    ) -> None:
        self.app = app
        #: the framework's application object, which knows the views; often `app` itself
        self.framework = app if framework is None else framework
        self.configure(config)
        if "flask" in sys.modules:
            from apm_agent.integrations import flask_errors

            flask_errors.connect()

    def configure(self, config: Config | None) -> None:
        """Take the settings that matter to each request."""
        self._secret = config.cprofile_header if config is not None else ""
        self._mount = mount.at(config)
        self.__dict__.pop("answer", None)
        if config is not None and config.developer:  # where it is off, no request pays for asking
            from apm_agent.integrations import developer_wsgi

            self.answer = developer_wsgi.around(self.answer, config, KEY)  # type: ignore[method-assign]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self.answer(self.app, self.framework, environ, start_response)

    def answer(
        self,
        app: Callable[..., Iterable[bytes]],
        framework: Any,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
    ) -> Iterable[bytes]:
        """Let `app` answer, timed by the settings kept here."""
        active = tracing.tracer
        if active is None:
            return app(environ, start_response)
        path = environ.get("PATH_INFO", "")
        if self._mount is not None and self._mount.serves(path):
            return self._mount.wsgi(environ, start_response)
        here = environ.get(KEY) or current.get()
        outer = None if here is None else transaction_of(here)
        if outer is not None:
            return app(environ, _Inner(outer, environ, start_response, framework))
        transaction = active.begin(
            "web",
            UNNAMED,
            wishes(self._secret, environ.get("HTTP_X_APM_PROFILE")) if self._secret else None,
            method_of(environ.get("REQUEST_METHOD")),
            path_of(path),
        )
        exchange: Exchange | None = None
        try:  # from here on: a signal's handler may raise anywhere
            environ[KEY] = transaction
            if "HTTP_X_REQUEST_START" in environ or "HTTP_X_QUEUE_START" in environ:
                transaction.queue_ns = queue_ns(
                    environ.get("HTTP_X_REQUEST_START"), environ.get("HTTP_X_QUEUE_START")
                )
            if "HTTP_TRACEPARENT" in environ:
                accept(transaction, environ["HTTP_TRACEPARENT"])
            exchange = Exchange(active, transaction, environ, start_response, framework)
            body = app(environ, exchange.start)
            # A list is all there: no code of the application is left to run, and servers ask for its length.
            if isinstance(body, (list, tuple)):
                exchange.end()
                return body
            return exchange.carry(body)
        except BaseException as error:
            if exchange is None:
                active.end(transaction, error)
            else:
                exchange.end(error)
            raise


class APMMiddleware(Middleware):
    """``app = APMMiddleware(app)``: times a WSGI application and installs the agent with `settings`."""

    def __init__(self, app: Callable[..., Iterable[bytes]], **settings: Any) -> None:
        agent.install(settings)
        super().__init__(app, agent.config())


class _Inner:
    """`start_response` of a request that is timed further out: tells the name and failure known here."""

    __slots__ = ("environ", "framework", "script_name", "start_response", "transaction")

    def __init__(
        self, outer: Transaction, environ: dict[str, Any], start_response: Callable[..., Any], framework: Any
    ) -> None:
        self.transaction = outer
        self.environ = environ
        self.start_response = start_response
        # Below a Mount of an ASGI application its prefix is part of the name.
        scope = environ.get("asgi.scope")
        mounted = scope.get("app_root_path") if isinstance(scope, dict) else None
        self.script_name = environ.get("SCRIPT_NAME", "") if mounted is None else mounted
        self.framework = framework

    def __call__(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        transaction = self.transaction
        if not transaction.ended:
            transaction.status = number_of(status)
            name_wsgi(self)
        if exc_info is None:
            return self.start_response(status, headers)
        note_failure(transaction, exc_info[1])
        return self.start_response(status, headers, exc_info)


#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "any WSGI application",
    "the middleware `apm_agent.wsgi(app)`",
    "requests by method and path, to the last byte of the body",
    note="PEP 3333",
)
