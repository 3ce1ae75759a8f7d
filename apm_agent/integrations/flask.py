"""Flask: ``init_app(app)``, after which every request of the application is a transaction."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any

from apm_agent import agent
from apm_agent.config import PREFIX
from apm_agent.instruments.support import Support
from apm_agent.integrations.wsgi import Middleware

if TYPE_CHECKING:
    from flask import Flask

_EXTENSION = "apm_agent"
#: What stands in the class for `wsgi_app` once an application is watched.
_stand_in: Callable[..., Iterable[bytes]] | None = None


def init_app(app: Flask, **settings: Any) -> None:
    """Watch a Flask application; again does nothing more.

    Settings are keywords, or keys like ``APM_AGENT_SLOW`` of ``app.config``.
    """
    framework = {
        key[len(PREFIX) :].lower(): value
        for key, value in app.config.items()
        if isinstance(key, str) and key.startswith(PREFIX)
    }
    agent.install(settings, framework)
    known = app.extensions.get(_EXTENSION)
    if known is not None:
        known.configure(agent.config())
        return
    if _answers_by_its_class(app):
        # A middleware in the application would hold what holds it: the application would no longer go with its
        # last reference, as Flask promises, but with a garbage collection.
        app.extensions[_EXTENSION] = Middleware(_nobody, agent.config())
    else:
        middleware = app.extensions[_EXTENSION] = Middleware(app.wsgi_app, agent.config(), app)
        app.wsgi_app = middleware  # type: ignore[method-assign]


def answers_watched(app: Any) -> bool:
    """Whether an application's own `wsgi_app` is timed, and nothing stands around it."""
    inner = getattr(app, "wsgi_app", app)
    if isinstance(inner, Middleware):
        return True
    return (
        _stand_in is not None
        and getattr(inner, "__func__", None) is _stand_in
        and _EXTENSION in app.extensions
    )


def _answers_by_its_class(app: Flask) -> bool:
    """Whether Flask's own `wsgi_app` is the one to answer; it is watched from then on."""
    global _stand_in
    module = sys.modules.get("flask.app")
    if module is None or "wsgi_app" in vars(app) or type(app).wsgi_app is not module.Flask.wsgi_app:
        return False
    if module.Flask.wsgi_app is not _stand_in:
        _stand_in = module.Flask.wsgi_app = _watching(module.Flask.wsgi_app)
    return True


def _watching(original: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    @functools.wraps(original)
    def wsgi_app(self: Flask, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        known = self.extensions.get(_EXTENSION)
        if known is None or known.app is not _nobody:
            return original(self, environ, start_response)
        return known.answer(MethodType(original, self), self, environ, start_response)  # type: ignore[no-any-return]

    return wsgi_app


def _nobody(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application of a middleware that is told it at each request."""
    raise TypeError("this middleware is told its application at each request, by Flask's class")


#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Flask",
    "WSGI, where `init_app` puts itself around `wsgi_app`; its signal `got_request_exception`",
    "requests by method and rule, the exception behind a 500",
    ("Flask",),
)
