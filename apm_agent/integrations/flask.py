"""Flask: ``init_app(app)``, after which every request of the application is a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apm_agent import agent
from apm_agent.config import PREFIX
from apm_agent.instruments.support import Support
from apm_agent.integrations.wsgi import Middleware

if TYPE_CHECKING:
    from flask import Flask

_EXTENSION = "apm_agent"


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
    middleware = app.extensions[_EXTENSION] = Middleware(app.wsgi_app, agent.config(), app)
    app.wsgi_app = middleware  # type: ignore[method-assign]


#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Flask",
    "WSGI, where `init_app` puts itself around `wsgi_app`; its signal `got_request_exception`",
    "requests by method and rule, the exception behind a 500",
    ("Flask",),
)
