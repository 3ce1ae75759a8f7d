"""requests: a span a `Session.send`, redirects and adapters included."""

from __future__ import annotations

from typing import Any

from apm_agent.instruments import http
from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span


def send(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``Session.send(request, …)`` with a prepared request."""
    request = args[0] if args else kwargs["request"]
    http.describe(span, request.method, request.url)


def answer(span: Span, response: Any, args: tuple[Any, ...]) -> None:
    """A `requests.Response`."""
    http.status(span, response.status_code)


PATCHES = (Timed("requests.sessions:Session.send", send, kind="http", leaf=True, finish=answer),)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "requests",
    "patch of `Session.send`",
    "method and host, URL without query and credentials, status; redirects and retries included",
    ("requests",),
)
