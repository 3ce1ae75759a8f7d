"""The one middleware, first in the chain: a transaction a request, under WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from apm_agent import agent
from apm_agent.errors import contained
from apm_agent.instruments.support import Support
from apm_agent.integrations import mount
from apm_agent.integrations.django.naming import name_request
from apm_agent.integrations.django.streams import follow
from apm_agent.integrations.facts import is_failure, queue_ns, wishes
from apm_agent.integrations.naming import UNNAMED, method_of, path_of, settle
from apm_agent.model.transaction import ROUTE, Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current, transaction_of
from apm_agent.tracing.tracer import Tracer

#: URLs of a request for the dashboard: Django's own middlewares still run, so it knows who is asking.
_URLS = "apm_agent.integrations.django.mounted"

_following = contained("following a stream")


class APMMiddleware:
    """Times the rest of the chain. Never looks at the user, the session or the body."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        config = agent.config()
        self._secret = config.cprofile_header if config is not None else ""
        self._mount = mount.at(config)
        if config is not None and config.developer:  # where it is off, no request pays for asking
            from apm_agent.integrations.django.developer import finishing

            self._finish = finishing(self._finish, config)  # type: ignore[method-assign,assignment]
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if self._is_async:
            return self._answer_async(request)
        opened = self._begin(request)
        if opened is None:
            return self.get_response(request)
        active, transaction, is_ours = opened
        try:
            response = self.get_response(request)
        except BaseException as error:
            self._fail(active, transaction, is_ours, error)
            raise
        self._finish(active, transaction, is_ours, request, response)
        return response

    async def _answer_async(self, request: Any) -> Any:
        get_response: Callable[[Any], Awaitable[Any]] = self.get_response
        opened = self._begin(request)
        if opened is None:
            return await get_response(request)
        active, transaction, is_ours = opened
        try:
            response = await get_response(request)
        except BaseException as error:
            self._fail(active, transaction, is_ours, error)
            raise
        self._finish(active, transaction, is_ours, request, response)
        return response

    def _begin(self, request: Any) -> tuple[Tracer, Transaction, bool] | None:
        active = tracing.tracer
        if active is None:
            return None
        if self._mount is not None and self._mount.serves(request.path_info):
            request.urlconf = _URLS
            return None
        here = current.get()
        outer = None if here is None else transaction_of(here)
        if outer is not None:  # timed further out, by a middleware around all of Django
            return active, outer, False
        sent = request.META
        notes = wishes(self._secret, sent.get("HTTP_X_APM_PROFILE")) if self._secret else None
        transaction = active.begin(
            "web", UNNAMED, notes, method_of(request.method), path_of(request.path_info)
        )
        if "HTTP_X_REQUEST_START" in sent or "HTTP_X_QUEUE_START" in sent:
            transaction.queue_ns = queue_ns(sent.get("HTTP_X_REQUEST_START"), sent.get("HTTP_X_QUEUE_START"))
        return active, transaction, True

    def _fail(self, active: Tracer, transaction: Transaction, is_ours: bool, error: BaseException) -> None:
        if not is_ours:
            return
        failed = is_failure(error)
        if failed:
            transaction.status = 500
        settle(transaction)
        active.end(transaction, error if failed else None)

    def _finish(
        self, active: Tracer, transaction: Transaction, is_ours: bool, request: Any, response: Any
    ) -> None:
        if transaction.ended:
            return
        transaction.status = response.status_code
        name_request(transaction, request)
        if not is_ours:
            return
        if transaction.name_priority != ROUTE:
            settle(transaction)
        if response.streaming:
            transaction.first_byte_ns = active.monotonic() - transaction.start_ns
            with _following:
                if follow(active, transaction, response):
                    return
        active.end(transaction, None, transaction.first_byte_ns is None)


#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Django (WSGI, ASGI)",
    "an application in `INSTALLED_APPS`; its middleware, first in the chain",
    "requests by method and route, streamed answers to their last byte, the exception behind a 500",
    ("Django",),
)
