"""The dashboard as an ASGI application, for a mount in Starlette, FastAPI or any other."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote_from_bytes

from a2wsgi import WSGIMiddleware

from apm_agent.web.app import dashboard

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class DashboardASGI:
    """The WSGI application in a few threads of its own."""

    def __init__(self, store_url: str, **options: Any) -> None:
        self._app = WSGIMiddleware(cast(Any, dashboard(store_url, **options)), workers=4)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        query = scope.get("query_string")
        if query is not None and not query.isascii():
            # Servers pass raw bytes on, and WSGI has no way to say them but quoted.
            scope = {**scope, "query_string": quote_from_bytes(query, safe=_PRINTABLE).encode()}
        await self._app(scope, receive, send)


def dashboard_asgi(store_url: str, **options: Any) -> DashboardASGI:
    """The dashboard of a store as ASGI; options are those of `web.app.dashboard`."""
    return DashboardASGI(store_url, **options)
