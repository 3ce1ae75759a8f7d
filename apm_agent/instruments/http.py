"""What every HTTP client's span says: method and host, the address without secrets, the status."""

from __future__ import annotations

from apm_agent.instruments.support import Support
from apm_agent.model.span import Span


def describe(span: Span, method: object, url: str) -> None:
    """Name the span ``GET api.example.com``; of the address keep scheme, host and path.

    The path is scrubbed when the span is written: that would cost the request more than all the rest of it.
    """
    scheme, _, rest = url.partition("://")
    address = rest.partition("#")[0].partition("?")[0]
    authority, slash, path = address.partition("/")
    host = authority.rpartition("@")[2].lower()
    verb = method.decode("latin-1") if isinstance(method, bytes) else str(method)
    span.name = f"{verb.upper()[:20]} {host[:200]}"
    span.tag(url=f"{scheme.lower()}://{host}{slash}{path}")


def status(span: Span, code: object) -> None:
    """Keep the answer's status."""
    if isinstance(code, int):
        span.tag(status=int(code))


#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "W3C trace context",
    "read by the WSGI and ASGI middlewares; sent by requests, urllib3, urllib, http.client, httpx and "
    "aiohttp",
    "`trace_id` and `called_by`, the id of the transaction that called, in the context of a transaction. "
    "Sent only to hosts named in `propagate_to`, none by default, and never along a redirect to others",
    note="level 1",
)
