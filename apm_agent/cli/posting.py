"""Hands one body of OTLP to a collector, over HTTP or gRPC: taken, not now, or refused."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import click

from apm_agent import __version__
from apm_agent.errors import ApmError, ConfigError

#: What went wrong, None when nothing did, and how many seconds the collector asks to wait. Raises `ApmError` when it
#: refuses the body for good.
Post = Callable[[bytes], "tuple[str | None, float | None]"]

_TIMEOUT = 10.0
_AGAIN = frozenset({408, 429, 502, 503, 504})
_AGAIN_GRPC = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"})
_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_GRPC_PORT = 4317


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is sent, and the keys sent with it, are for the address that was named."""

    def redirect_request(self, *args: object) -> None:
        return None


def http(url: str, headers: dict[str, str], content_type: str = "application/x-protobuf") -> Post:
    """One request of OTLP over HTTP a body, or of whatever else is posted."""
    opener = urllib.request.build_opener(_NoRedirects)
    sent = {"User-Agent": f"apm-agent/{__version__}", **headers, "Content-Type": content_type}

    def post(body: bytes) -> tuple[str | None, float | None]:
        request = urllib.request.Request(url, body, sent, method="POST")
        try:
            with opener.open(request, timeout=_TIMEOUT) as answer:
                _listen(answer.read(65536))
                return None, None
        except urllib.error.HTTPError as error:
            with error:
                if error.code in _AGAIN:
                    return f"it answered {error.code}", _seconds(error.headers.get("Retry-After"))
            raise _refused(url, f"{error.code} {error.reason}") from None
        except OSError as error:
            return str(getattr(error, "reason", error)), None

    return post


def grpc(url: str, headers: dict[str, str]) -> Post:
    """One call of OTLP over gRPC a body: its messages are the same bytes."""
    try:
        library: Any = import_module("grpc")
    except ImportError:
        raise ConfigError("--protocol grpc needs the library grpcio: pip install grpcio") from None
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port or _GRPC_PORT}"
    secure = parts.scheme == "https"
    channel = (
        library.secure_channel(host, library.ssl_channel_credentials())
        if secure
        else library.insecure_channel(host)
    )
    call = channel.unary_unary(_METHOD)  # without serialisers bytes stay bytes
    metadata = [(name.lower(), value) for name, value in headers.items()]

    def post(body: bytes) -> tuple[str | None, float | None]:
        try:
            _listen(call(body, timeout=_TIMEOUT, metadata=metadata))
        except library.RpcError as error:
            code = error.code().name
            if code in _AGAIN_GRPC:
                return f"it answered {code}", None
            raise _refused(url, code) from None
        return None, None

    return post


PROTOCOLS = {"http": http, "grpc": grpc}


def shown(url: str) -> str:
    """An address without credentials and query."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _listen(answer: bytes) -> None:
    if answer:  # only a partial success has anything to say
        click.echo("apm-agent ▸ the collector took only a part of what it was sent", err=True)


def _refused(url: str, code: str) -> ApmError:
    return ApmError(
        f"the collector at {shown(url)} answered {code}. "
        "Is that its address for what is sent, by this protocol, and does it need a --header?"
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
