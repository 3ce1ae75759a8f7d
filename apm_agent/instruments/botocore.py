"""botocore, and so boto3: a span a call of a service, retries included.

Not through its events: what one of them opens another must close, and none of them is sure to come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.errors import contained
from apm_agent.instruments import http
from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.instruments.wrapping import within
from apm_agent.model.span import Span
from apm_agent.tracing import tracer as tracing

_describing = contained("describing a span")


def call(wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``BaseClient._make_api_call(operation, parameters)``; parameters stay out, buckets and keys too."""
    span = tracing.open_span("http", "call", True)
    if span is None:
        return wrapped(*args, **kwargs)
    return within(span, _call, wrapped, client, args, kwargs)


def _call(
    span: Span, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with _describing:
        operation = args[0] if args else kwargs["operation_name"]
        meta = client.meta
        endpoint = meta.endpoint_url
        http.describe(span, "", endpoint)
        span.name = f"{operation}{span.name}"
        span.tag(service=meta.service_model.service_name, region=meta.region_name)
    try:
        result = wrapped(*args, **kwargs)
    except Exception as error:
        with _describing:
            _failure(span, getattr(error, "response", None))
        raise
    with _describing:
        _answer(span, result)
    return result


def _answer(span: Span, result: Any) -> None:
    said = result.get("ResponseMetadata") or {}
    http.status(span, said.get("HTTPStatusCode"))
    if said.get("RetryAttempts"):
        span.tag(retries=said["RetryAttempts"])


def _failure(span: Span, response: Any) -> None:
    if isinstance(response, dict):  # a ClientError: the service said no
        _answer(span, response)
        span.tag(code=(response.get("Error") or {}).get("Code"))


PATCHES = (Returning("botocore.client:BaseClient._make_api_call", call),)

#: For docs/supported.md.
SUPPORT = Support(
    "HTTP and RPC",
    "boto3, botocore",
    "patch of `BaseClient._make_api_call`; of its events none is sure to come that would close a span",
    "operation, service, region, endpoint, status, retries, error code; no buckets, keys or other parameters",
    ("boto3",),
    note="against a small responder that answers as S3 and DynamoDB do",
)
