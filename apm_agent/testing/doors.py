"""The callables through which test clients come into an application, each call made a transaction."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from apm_agent import agent
from apm_agent.instruments.rows import Returning
from apm_agent.model.current import current
from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction

#: The key of `notes` that marks the transaction around a piece of a test.
PIECE = "piece of a test"
_DJANGO = "apm_agent.integrations.django.middleware.APMMiddleware"


@contextmanager
def apart() -> Iterator[None]:
    """A request that a test makes is no part of the piece of the test around it."""
    here = current.get()
    if not _is_piece(here):
        yield
        return
    current.set(None)
    try:
        yield
    finally:
        current.set(here)


def _is_piece(here: Span | Transaction | None) -> bool:
    transaction = here.transaction if isinstance(here, Span) else here
    return transaction is not None and transaction.notes is not None and PIECE in transaction.notes


def _wsgi(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
    from apm_agent.integrations.wsgi import Middleware

    with apart():
        return Middleware(wrapped, agent.config(), app)(*args, **kwargs)


def _werkzeug_client(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    from apm_agent.integrations.wsgi import Middleware

    if not args:
        return wrapped(**kwargs)
    with apart():
        return wrapped(Middleware(args[0], agent.config()), *args[1:], **kwargs)


async def _asgi(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
    from apm_agent.integrations.asgi import Middleware

    with apart():
        return await Middleware(wrapped, agent.config())(*args, **kwargs)


def _django_client(wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
    with apart():
        return wrapped(*args, **kwargs)


async def _django_async_client(wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
    with apart():
        return await wrapped(*args, **kwargs)


def _django_chain(wrapped: Callable[..., Any], handler: Any, args: Any, kwargs: Any) -> Any:
    # A handler builds its chain from the settings when it first answers; only while it does, ours is among them.
    settings = sys.modules["django.conf"].settings
    before = settings.MIDDLEWARE
    if _DJANGO in before:
        return wrapped(*args, **kwargs)
    settings.MIDDLEWARE = [_DJANGO, *before]
    try:
        return wrapped(*args, **kwargs)
    finally:
        settings.MIDDLEWARE = before


#: Nothing of an application is changed: what stands here is asked at each call, and put back after the test.
DOORS = (
    Returning("flask.app:Flask.__call__", _wsgi),
    Returning("werkzeug.test:run_wsgi_app", _werkzeug_client),
    Returning("starlette.applications:Starlette.__call__", _asgi),
    Returning("quart.app:Quart.__call__", _asgi),
    Returning("django.core.handlers.base:BaseHandler.load_middleware", _django_chain),
    Returning("django.test.client:ClientHandler.__call__", _django_client),
    Returning("django.test.client:AsyncClientHandler.__call__", _django_async_client),
)
