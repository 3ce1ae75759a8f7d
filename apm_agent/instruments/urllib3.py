"""urllib3: a span a request to a pool, retries included."""

from __future__ import annotations

from typing import Any

from apm_agent.instruments import http
from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span


def urlopen(span: Span, pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``HTTPConnectionPool.urlopen(method, url, …)``; the url is a path, or whole when it goes to a proxy."""
    method = args[0] if args else kwargs["method"]
    url = args[1] if len(args) > 1 else kwargs["url"]
    if "://" not in url.partition("?")[0]:
        usual = {"http": 80, "https": 443}.get(pool.scheme)
        port = "" if pool.port in (None, usual) else f":{pool.port}"
        url = f"{pool.scheme}://{pool.host}{port}{url}"
    http.describe(span, method, url)


def answer(span: Span, response: Any, args: tuple[Any, ...]) -> None:
    """An `HTTPResponse`."""
    http.status(span, response.status)


PATCHES = (
    Timed(
        "urllib3.connectionpool:HTTPConnectionPool.urlopen", urlopen, kind="http", leaf=True, finish=answer
    ),
)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "urllib3",
    "patch of `HTTPConnectionPool.urlopen`",
    "method and host, URL without query and credentials, status; redirects and retries included",
    ("urllib3",),
)
