"""Serves the dashboard under a path of the application: the one door from the writing wing to the other."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import quote

from apm_agent.config import Config
from apm_agent.errors import ConfigError
from apm_agent.model.transaction import Transaction
from apm_agent.tracing.current import current_transaction

#: Set by an integration that already knows the user may look (Django: DEBUG or staff); no client can send it.
ALLOWED = "apm_agent.allowed"


class Mount:
    """The dashboard of one Config under one prefix, as WSGI and ASGI; loaded when first asked for."""

    __slots__ = ("_asgi", "_below", "_config", "_wsgi", "prefix")

    def __init__(self, config: Config, prefix: str) -> None:
        self.prefix = prefix
        self._below = prefix + "/"
        self._config = config
        self._wsgi: Callable[..., Iterable[bytes]] | None = None
        self._asgi: Callable[..., Any] | None = None

    def serves(self, path: str) -> bool:
        """Whether a path, without what the server took off, belongs to the dashboard."""
        return path.startswith(self.prefix) and (path == self.prefix or path.startswith(self._below))

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer below the prefix: ``SCRIPT_NAME`` gains it, ``PATH_INFO`` loses it."""
        _leave_unseen()
        if self._wsgi is None:
            self._wsgi = load(self._config)
        path = environ.get("PATH_INFO", "")
        return self._wsgi(
            {
                **environ,
                "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + self.prefix,
                "PATH_INFO": path[len(self.prefix) :],
            },
            start_response,
        )

    async def asgi(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer below the prefix: ``root_path`` gains it."""
        _leave_unseen()
        if self._asgi is None:
            from a2wsgi import WSGIMiddleware

            self._asgi = cast("Callable[..., Any]", WSGIMiddleware(load(self._config)))
        root = scope.get("root_path", "")
        path = scope["path"]
        if not (root and path.startswith(root)):  # a server that keeps root_path out of the path
            path = root + path
        await self._asgi({**scope, "root_path": root + self.prefix, "path": path}, receive, send)


def at(config: Config | None) -> Mount | None:
    """Where this process serves its dashboard; None when no path was set."""
    prefix = "/" + config.dashboard_path.strip("/") if config is not None else "/"
    return Mount(config, prefix) if config is not None and prefix != "/" else None


def load(config: Config) -> Callable[..., Iterable[bytes]]:
    """The dashboard as a WSGI application, by this process's settings."""
    from apm_agent.web.app import dashboard

    named = _named(config.authorize) if config.authorize else None

    def authorize(request: Any) -> bool:
        return bool(request.environ.get(ALLOWED)) or (named is not None and bool(named(request)))

    app: Callable[..., Iterable[bytes]] = dashboard(
        config.store, token=config.dashboard_token, authorize=authorize, title=config.service
    )

    def below(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO"):
            return app(environ, start_response)
        # The pages link relative to where they are, so `/apm` must be `/apm/`.
        query = environ.get("QUERY_STRING", "")
        place = quote(environ["SCRIPT_NAME"].encode("latin-1")) + "/" + ("?" + query if query else "")
        start_response("307 Temporary Redirect", [("Location", place), ("Content-Length", "0")])
        return []

    return below


def _named(text: str) -> Callable[[Any], Any]:
    module, _, name = text.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"setting authorize is {text!r}, but nothing is there: {error}") from error
    if not callable(found):
        raise ConfigError(f"setting authorize is {text!r}, but that cannot be called.")
    return found  # type: ignore[no-any-return]


def _leave_unseen() -> None:
    here: Transaction | None = current_transaction()
    if here is not None:
        here.ignored = True
