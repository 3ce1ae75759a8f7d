"""OpenTelemetry's trace protocol (OTLP), as the body of one export request in protocol buffers, by hand.

https://github.com/open-telemetry/opentelemetry-proto - the numbers are those of the fields in its `.proto` files. A
transaction is a span with its own spans below; those of one trace have its id, as `traceparent` brought it.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from apm_agent.model.profile import Frame
from apm_agent.model.shipment import Origin, Shipped, ShippedSpan

_INTERNAL, _SERVER, _CLIENT = 1, 2, 3
_ERROR = 2
_SERVED = frozenset({"web", "websocket", "stream"})
_CALLED = frozenset({"db", "http", "cache"})
#: Our tags that OpenTelemetry has a name for.
_TAGS = {"url": "url.full", "status": "http.response.status_code", "error": "error.type"}
#: Keys of a transaction's context that say to which trace it belongs.
TRACE, CALLER = "trace_id", "called_by"


def encode(shipped: Iterable[Shipped], version: str) -> bytes:
    """An ExportTraceServiceRequest with all of these, grouped by the process they ran in."""
    by_origin: dict[Origin, list[Shipped]] = defaultdict(list)
    for one in shipped:
        by_origin[one.origin].append(one)
    scope = _block(1, _text(1, "apm-agent") + _text(2, version))
    made = []
    for origin, transactions in by_origin.items():
        spans = b"".join(_block(2, span) for one in transactions for span in _spans(one))
        made.append(_block(1, _block(1, _resource(origin, version)) + _block(2, scope + spans)))
    return b"".join(made)


def _resource(origin: Origin, version: str) -> bytes:
    return _attributes(
        1,
        {
            "service.name": origin.service or "unknown_service:python",
            "service.version": origin.release,
            "deployment.environment.name": origin.environment,
            "host.name": origin.host,
            "process.pid": origin.pid or None,
            "process.runtime.name": "python",
            "process.runtime.version": origin.python,
            "telemetry.sdk.name": "apm-agent",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.version": version,
        },
    )


def _spans(one: Shipped) -> list[bytes]:
    trace = _trace_id(one)
    own = struct.pack(">Q", one.id & (2**64 - 1))
    ids = [_digest(f"{one.id}/{index}", 8) for index in range(len(one.spans))]
    served = one.kind in _SERVED
    attributes: dict[str, Any] = {
        **_asked(one, served),
        "apm_agent.kind": one.kind,
        "apm_agent.view": one.view,
        "apm_agent.queue_ns": one.queue_ns,
        "apm_agent.cpu_ns": one.cpu_ns,
        "error.type": one.error[0] if one.error else None,
        **{
            f"apm_agent.context.{key}": value
            for key, value in one.context.items()
            if key not in {TRACE, CALLER}
        },
    }
    begin, end = one.started_ns, one.started_ns + one.duration_ns
    head = _head(trace, own, _parent_of(one), one.name, _SERVER if served else _INTERNAL, begin, end)
    made = [head + _attributes(9, attributes) + _event(one, end) + _status(one.failed, one.error)]
    for index, span in enumerate(one.spans):
        parent = own if span.parent is None or not 0 <= span.parent < len(ids) else ids[span.parent]
        made.append(_span(trace, ids[index], parent, span, begin))
    return made


def _span(trace: bytes, number: bytes, parent: bytes, span: ShippedSpan, begin: int) -> bytes:
    start = begin + span.offset_ns
    kind = _CLIENT if span.kind in _CALLED else _INTERNAL
    attributes: dict[str, Any] = {
        "apm_agent.kind": span.kind,
        "db.query.text": span.statement,
        **_place(span.where),
        **{_TAGS.get(key, key): value for key, value in span.tags.items()},
    }
    head = _head(trace, number, parent, span.name, kind, start, start + span.duration_ns)
    return head + _attributes(9, attributes) + _status("error" in span.tags, None)


def _head(  # noqa: PLR0917  (in the order of the fields)
    trace: bytes, number: bytes, parent: bytes, name: str, kind: int, begin: int, end: int
) -> bytes:
    above = _block(4, parent) if parent else b""
    times = _fixed(7, begin) + _fixed(8, end)
    return _block(1, trace) + _block(2, number) + above + _text(5, name) + _whole(6, kind) + times


def _event(one: Shipped, at_ns: int) -> bytes:
    if one.error is None:
        return b""
    kind, message = one.error
    attributes = {"exception.type": kind, "exception.message": message, **_place(one.where)}
    return _block(11, _fixed(1, at_ns) + _text(2, "exception") + _attributes(3, attributes))


def _status(failed: bool, error: tuple[str, str] | None) -> bytes:
    if not failed:
        return b""
    return _block(15, (_text(2, ": ".join(filter(None, error))) if error else b"") + _whole(3, _ERROR))


def _place(frame: Frame | None) -> dict[str, Any]:
    if frame is None:
        return {}
    return {
        "code.file.path": frame.file,
        "code.line.number": frame.line,
        "code.function.name": frame.function,
    }


def _asked(one: Shipped, served: bool) -> dict[str, Any]:
    """What was asked for: a call of grpc is no request of HTTP's to whoever reads this."""
    if served and one.method == "GRPC":
        return {"rpc.system": "grpc", "rpc.method": (one.path or "").strip("/") or None}
    return {
        "http.request.method": one.method if served and one.method != "WS" else None,
        "http.route": _route(one) if served else None,
        "url.path": one.path if served else None,
        "http.response.status_code": one.status,
    }


def _route(one: Shipped) -> str | None:
    method, space, route = one.name.partition(" ")
    return route if space and method == one.method and route.startswith("/") else None


def _trace_id(one: Shipped) -> bytes:
    told = _hex(one.context.get(TRACE), 16)
    return told or _digest(f"{one.origin.host}/{one.id}", 16)


def _parent_of(one: Shipped) -> bytes:
    return _hex(one.context.get(CALLER), 8) if _hex(one.context.get(TRACE), 16) else b""


def _hex(text: object, length: int) -> bytes:
    if not isinstance(text, str) or len(text) != 2 * length:
        return b""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _digest(text: str, length: int) -> bytes:
    return blake2b(text.encode("utf-8", "replace"), digest_size=length).digest()


def _attributes(field: int, values: Mapping[str, Any]) -> bytes:
    return b"".join(
        _block(field, _text(1, key) + _block(2, _value(value)))
        for key, value in values.items()
        if value is not None and value != ""
    )


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return _whole(2, int(value))
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return _whole(3, value)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    return _text(1, str(value))


def _varint(value: int) -> bytes:
    value &= 2**64 - 1  # negative ones are written as 64 bits
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _fixed(field: int, value: int) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<Q", max(0, value) & (2**64 - 1))


def _block(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _block(field, text.encode("utf-8", "replace"))
