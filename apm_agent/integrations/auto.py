"""Zero edits: wraps applications as frameworks make them and servers load them, for `apm-agent run`."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

from apm_agent import agent
from apm_agent.errors import contained
from apm_agent.instruments import patching
from apm_agent.instruments.rows import Returning, Wrapper
from apm_agent.instruments.support import Support
from apm_agent.integrations import uwsgi

_wrapping = contained("wrapping an application")
_APP = "apm_agent.integrations.django"
_installed = False


def install() -> None:
    """Install the agent by its environment, and wait at every door; again does nothing.

    What the application later says of settings, in code or in its framework's, wins over this.
    """
    global _installed
    if _installed:
        return
    _installed = True
    agent.install(provisional=True)
    if agent.config() is None:
        return
    patching.place(DOORS)
    uwsgi.watch(wrap)


def wrap(app: Any) -> Any:
    """Any application inside the middleware of its protocol; one that is ours already stays as it is."""
    with _wrapping:
        if is_asgi(app):
            if not _takes(app, 3):
                return app
            from apm_agent.integrations import asgi

            # A Quart application answers through its own `asgi_app`, which is wrapped as it is made.
            inner = getattr(app, "asgi_app", app)
            return app if isinstance(inner, asgi.Middleware) else asgi.Middleware(app, agent.config())
        if callable(app) and _takes(app, 2):
            from apm_agent.integrations import flask, wsgi

            # A Flask application answers through its own `wsgi_app`, which is watched as it is made.
            return app if flask.answers_watched(app) else wsgi.Middleware(app, agent.config())
    return app


def is_asgi(app: Any) -> bool:
    """Whether a callable speaks ASGI: it is a coroutine function, or an object whose call is one."""
    while isinstance(app, functools.partial):
        app = app.func
    if inspect.iscoroutinefunction(app):
        return True
    if inspect.isclass(app):
        return hasattr(app, "__await__")
    return inspect.iscoroutinefunction(getattr(app, "__call__", None))  # noqa: B004  (which kind, not whether)


def _takes(app: Any, count: int) -> bool:
    # Servers with a protocol of their own, as aiohttp's under gunicorn, are given what is callable in other ways.
    try:
        inspect.signature(app).bind(*(None,) * count)
    except TypeError:
        return False
    except ValueError:  # made in C: it does not say
        pass
    return True


def _after_flask(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    with _wrapping:
        from apm_agent.integrations import flask

        flask.init_app(app)
    return result


def _after_quart(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    app.asgi_app = wrap(app.asgi_app)
    return result


def _around_stack(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
    # Around all of the middlewares: the one that turns exceptions into answers is one of them.
    return wrap(wrapped(*args, **kwargs))


def _after_django(wrapped: Callable[..., Any], registry: Any, args: Any, kwargs: Any) -> Any:
    names = args[0] if args else kwargs.get("installed_apps")
    # Migrations make registries of their own; the application's is the module's.
    is_main = getattr(sys.modules.get("django.apps.registry"), "apps", None) is registry
    started = registry.ready
    result = wrapped(*args, **kwargs)
    # Without being one of the apps: the application may look through those.
    if is_main and not started and isinstance(names, (list, tuple)) and not any(map(_is_ours, names)):
        from apm_agent.integrations.django import apps

        apps.watch()
    return result


def _is_ours(entry: Any) -> bool:
    name = entry if isinstance(entry, str) else getattr(entry, "name", "")
    return isinstance(name, str) and name.startswith(_APP)


def _gunicorn(wrapped: Callable[..., Any], application: Any, args: Any, kwargs: Any) -> Any:
    app = wrapped(*args, **kwargs)
    application.callable = wrapped_app = wrap(app)  # workers of one arbiter ask again
    return wrapped_app


def _uvicorn(wrapped: Callable[..., Any], config: Any, args: Any, kwargs: Any) -> Any:
    result = wrapped(*args, **kwargs)
    config.loaded_app = wrap(config.loaded_app)
    return result


def _argument(position: int, name: str) -> Wrapper:
    def wrapper(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        if len(args) > position:
            args = (*args[:position], wrap(args[position]), *args[position + 1 :])
        elif name in kwargs:
            kwargs = {**kwargs, name: wrap(kwargs[name])}
        return wrapped(*args, **kwargs)

    return wrapper


#: The callables every application of a framework or server comes through.
DOORS = (
    Returning("flask.app:Flask.__init__", _after_flask),
    Returning("quart.app:Quart.__init__", _after_quart),
    Returning("starlette.applications:Starlette.build_middleware_stack", _around_stack),
    Returning("fastapi.applications:FastAPI.build_middleware_stack", _around_stack),
    Returning("django.apps.registry:Apps.populate", _after_django),
    Returning("gunicorn.app.base:BaseApplication.wsgi", _gunicorn),
    Returning("uvicorn.config:Config.load", _uvicorn),
    Returning("hypercorn.utils:wrap_app", _argument(0, "app")),
    Returning("daphne.server:Server.__init__", _argument(0, "application")),
    Returning("wsgiref.simple_server:WSGIServer.set_app", _argument(0, "application")),
    Returning("werkzeug.serving:BaseWSGIServer.__init__", _argument(2, "app")),
    Returning("waitress.server:create_server", _argument(0, "application")),
    # Not where it loads applications: one may speak RSGI, which is not ours to wrap.
    Returning("granian.asgi:_callback_wrapper", _argument(0, "callback")),
    Returning("granian.wsgi:_callback_wrapper", _argument(0, "callback")),
    Returning("tornado.wsgi:WSGIContainer.__init__", _argument(0, "wsgi_application")),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Servers",
    "gunicorn, uvicorn, hypercorn, daphne, granian, waitress",
    "where each is given the application",
    "`apm-agent run` only, with all workers; see below for uWSGI",
    ("gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress"),
)
