"""The dashboard's own server, for `apm-agent dashboard`: threaded, quiet, for a few people at a time."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Collection
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from apm_agent.errors import ConfigError
from apm_agent.web.access import Authorize
from apm_agent.web.app import dashboard

log = logging.getLogger("apm_agent")


class _Quiet(WSGIRequestHandler):
    """Logs no request, and lets no connection wait for ever."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def log_error(self, format: str, *args: Any) -> None:
        log.debug(format, *args)

    def version_string(self) -> str:
        return "apm-agent"


def serve(
    store_url: str,
    listener: socket.socket,
    *,
    token: str = "",
    authorize: Authorize | str | None = None,
    title: str = "",
    explain: Collection[str] = (),
    editor: str = "",
    blame: bool = True,
    ready: Callable[[BaseWSGIServer], None] | None = None,
) -> None:
    """Answer on a listening socket until interrupted; other machines only with a token or a rule."""
    host, port = listener.getsockname()[:2]
    if not _is_loopback(host) and not token and not authorize:
        raise ConfigError(
            f"listening on {host} lets other machines in, and they need a token: give one, or use 127.0.0.1"
        )
    app = dashboard(
        store_url, token=token, authorize=authorize, title=title, explain=explain, editor=editor, blame=blame
    )
    server = make_server(host, port, app, threaded=True, request_handler=_Quiet, fd=listener.fileno())
    with server:
        if ready is not None:
            ready(server)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            pass


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
