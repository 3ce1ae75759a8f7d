"""http.client and urllib.request: a span a request, until the answer's headers are there.

A connection of http.client is asked twice, to send and to answer; its span begins with the first. Whatever
sends with it in the end (urllib3, requests, botocore) also tells hosts of our own their trace here, once a
hop, so that a redirect to a stranger takes nothing along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import http
from apm_agent.instruments.rows import Returning, Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span
from apm_agent.tracing import propagation
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current

_describing = contained("describing a span")
_telling = contained("telling a host its trace")
#: Where a connection keeps when and what it was asked: ns, and the first line.
_ASKED = "_apm_agent_asked"


def urlopen(wrapped: Callable[..., Any], opener: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``OpenerDirector.open(fullurl, …)``, redirects included; files and FTP are no matter of ours."""
    request = args[0] if args else kwargs.get("fullurl")
    url = request if isinstance(request, str) else getattr(request, "full_url", "")
    span = tracing.open_span("http", "GET", True) if url[:4].lower() == "http" else None
    if span is None:
        return wrapped(*args, **kwargs)
    try:
        with _describing:
            data = args[1] if len(args) > 1 else kwargs.get("data")
            plain = "GET" if data is None else "POST"
            method = getattr(request, "get_method", lambda: plain)()
            http.describe(span, method, url)
        response = wrapped(*args, **kwargs)
        with _describing:
            http.status(span, response.status)
        return response
    except BaseException as error:
        span.tag(error=type(error).__name__)
        http.status(span, getattr(error, "code", None))  # HTTPError is the answer
        raise
    finally:
        tracing.close_span(span)


def endheaders(
    wrapped: Callable[..., Any], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``HTTPConnection.endheaders(…)``: the last moment at which a header can be added; it connects and sends."""
    active = tracing.tracer
    if active is None or current.get() is None:
        return wrapped(*args, **kwargs)
    asked = connection.__dict__[_ASKED] = active.monotonic(), next(iter(connection._buffer), b"")
    if propagation.active():
        with _telling:
            _tell(connection)
    try:
        return wrapped(*args, **kwargs)
    except BaseException as error:
        span = tracing.open_span("http", "GET", True)
        if span is not None:
            with _describing:
                _describe(span, connection, *asked)
            span.tag(error=type(error).__name__)
            tracing.close_span(span)
        raise


def getresponse(span: Span, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``HTTPConnection.getresponse()`` waits for the headers."""
    at, line = connection.__dict__.pop(_ASKED, (0, b""))
    _describe(span, connection, at, line)


def answer(span: Span, response: Any, args: tuple[Any, ...]) -> None:
    """An `HTTPResponse`."""
    http.status(span, response.status)


def _describe(span: Span, connection: Any, at: int, line: bytes) -> None:
    if at >= span.transaction.start_ns:
        span.start_ns = at
    method, _, rest = line.decode("latin-1").partition(" ")
    url = rest.partition(" ")[0]
    if "://" not in url.partition("?")[0]:
        scheme, usual = ("https", 443) if connection.default_port == 443 else ("http", 80)
        host, port = getattr(connection, "_tunnel_host", None), getattr(connection, "_tunnel_port", None)
        if not host:
            host, port = connection.host, connection.port
        url = f"{scheme}://{host}{'' if port in (None, usual) else f':{port}'}{url}"
    http.describe(span, method, url)


def _tell(connection: Any) -> None:
    lines = connection._buffer
    # Through a proxy the host is in the request's first line, or, through a tunnel, kept by the connection.
    target = lines[0].split(b" ")[1]
    if target[:4].lower() == b"http":
        authority = target.partition(b"://")[2].partition(b"/")[0].rpartition(b"@")[2]
        host = authority.decode("latin-1").partition(":")[0]
    else:
        host = getattr(connection, "_tunnel_host", None) or connection.host
    if any(line[:12].lower() == b"traceparent:" for line in lines):
        return
    header = propagation.header_for(host)
    if header is not None:
        connection.putheader(propagation.HEADER, header)


PATCHES = (
    Returning("urllib.request:OpenerDirector.open", urlopen),
    Returning("http.client:HTTPConnection.endheaders", endheaders),
    Timed("http.client:HTTPConnection.getresponse", getresponse, kind="http", leaf=True, finish=answer),
)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "http.client, urllib.request",
    "patch of `HTTPConnection.endheaders` and `getresponse`, of `OpenerDirector.open`",
    "as aiohttp's client; an `HTTPError` with its status",
)
