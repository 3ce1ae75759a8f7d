"""Serves the dashboard under a path of the application: the one door from the writing wing to the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from apm_agent.config import Config
from apm_agent.errors import contained
from apm_agent.tracing.verbs import ignore_transaction

_loading = contained("loading the dashboard")
_SORRY = (
    b"The dashboard needs a library that cannot be imported here; the log of the application says which.\n"
)
_PLAIN = ("content-type", "text/plain"), ("content-length", str(len(_SORRY)))


class Mount:
    """The dashboard of one Config under one prefix, as WSGI and ASGI; loaded when first asked for."""

    __slots__ = ("_asgi", "_below", "_config", "_wsgi", "prefix")

    def __init__(self, config: Config, prefix: str) -> None:
        self.prefix = prefix
        self._below = prefix + "/"
        self._config = config
        self._wsgi: Callable[..., Iterable[bytes]] | None = None
        self._asgi: Callable[..., Awaitable[None]] | None = None

    def serves(self, path: str) -> bool:
        """Whether a path, without what the server took off, belongs to the dashboard."""
        try:
            return path.startswith(self.prefix) and (path == self.prefix or path.startswith(self._below))
        except (AttributeError, TypeError):  # no text: no server's request, but one made by hand
            return False

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer below the prefix: ``SCRIPT_NAME`` gains it, ``PATH_INFO`` loses it."""
        ignore_transaction()
        if self._wsgi is None:
            self._wsgi = load(self._config)
        here = {
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + self.prefix,
            "PATH_INFO": environ.get("PATH_INFO", "")[len(self.prefix) :],
        }
        return self._wsgi({**environ, **here}, start_response)

    async def asgi(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer below the prefix: ``root_path`` gains it."""
        ignore_transaction()
        if self._asgi is None:
            self._asgi = _load_asgi(self._config)
        root, path = scope.get("root_path", ""), scope["path"]
        if not path.startswith(root):  # a server that keeps root_path out of the path
            path = root + path
        await self._asgi({**scope, "root_path": root + self.prefix, "path": path}, receive, send)


def at(config: Config | None) -> Mount | None:
    """Where this process serves its dashboard; None when no path was set."""
    if config is None or not config.dashboard_path.strip("/"):
        return None
    return Mount(config, "/" + config.dashboard_path.strip("/"))


def load(config: Config, open_to_all: bool = False) -> Callable[..., Iterable[bytes]]:
    """The dashboard as a WSGI application; `open_to_all` where the caller has asked who it is already."""
    factory: Callable[..., Callable[..., Iterable[bytes]]] | None = None
    with _loading:
        from apm_agent.web.app import dashboard as factory
    return (
        factory(config.store, open_to_all=open_to_all, **_options(config)) if factory is not None else _sorry
    )


def _load_asgi(config: Config) -> Callable[..., Awaitable[None]]:
    factory: Callable[..., Callable[..., Awaitable[None]]] | None = None
    with _loading:
        from apm_agent.web.asgi import dashboard_asgi as factory
    return factory(config.store, **_options(config)) if factory is not None else _sorry_asgi


def _sorry(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("503 Service Unavailable", list(_PLAIN))
    return [_SORRY]


async def _sorry_asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    headers = [(name.encode(), value.encode()) for name, value in _PLAIN]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _SORRY})


def _options(config: Config) -> dict[str, Any]:
    return {
        "token": config.dashboard_token,
        "authorize": config.authorize,
        "title": config.service,
        "explain": config.explain,
        "editor": config.editor,
        "blame": config.blame,
    }
