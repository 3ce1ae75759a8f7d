"""Transactions as a Parquet file (https://parquet.apache.org): a row each with its spans nested in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from apm_agent.errors import QuestionError
from apm_agent.model.profile import Frame
from apm_agent.model.shipment import Shipped, ShippedSpan, Sums

_CURE = "Parquet needs the package pyarrow ({}). Cure: pip install 'apm-agent[parquet]'"


def write(path: str, batches: Iterable[list[tuple[Shipped, Sums]]]) -> int:
    """Write them, a row group a batch; how many there were. The file is there even when there are none."""
    arrow, parquet = _library()
    schema = _schema(arrow)
    written = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as file:
        for batch in batches:
            file.write_table(arrow.Table.from_pylist([_row(*each) for each in batch], schema))
            written += len(batch)
    return written


def _library() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise QuestionError(_CURE.format(error)) from None
    return pyarrow, parquet


def _schema(arrow: Any) -> Any:
    text, whole, number = arrow.string(), arrow.int64(), arrow.int32()
    # A name that comes again and again is kept once a row group.
    word = arrow.dictionary(number, text)
    span = arrow.struct([
        ("parent", number), ("kind", text), ("name", text), ("offset_ns", whole), ("duration_ns", whole),
        ("statement", text), ("file", text), ("line", number), ("function", text), ("tags", text),
    ])  # fmt: skip
    return arrow.schema([
        ("id", text), ("started_at", arrow.timestamp("ns", "UTC")), ("duration_ns", whole), ("service", word),
        ("kind", word), ("endpoint", word), ("view", word), ("environment", word), ("release", word), ("host", word),
        ("pid", number), ("method", word), ("path", text), ("status", number), ("failed", arrow.bool_()),
        ("error_type", word), ("error", text), ("cpu_ns", whole), ("queue_ns", whole),
        *((name, whole) for name in Sums._fields if name not in {"kept", "share"}),
        ("kept", word), ("share", arrow.float64()), ("context", text), ("spans", arrow.list_(span)),
    ])  # fmt: skip


def _row(each: Shipped, sums: Sums) -> dict[str, Any]:
    origin = each.origin
    error_type, message = each.error or (None, None)
    return {
        "id": f"{each.id:016x}", "started_at": each.started_ns, "duration_ns": each.duration_ns,
        "service": origin.service, "kind": each.kind, "endpoint": each.name, "view": each.view,
        "environment": origin.environment or None, "release": origin.release or None, "host": origin.host or None,
        "pid": origin.pid or None, "method": each.method, "path": each.path, "status": each.status,
        "failed": each.failed, "error_type": error_type, "error": message, "cpu_ns": each.cpu_ns,
        "queue_ns": each.queue_ns, **sums._asdict(),
        "context": json.dumps(each.context, ensure_ascii=False, default=str) if each.context else None,
        "spans": [_span(span) for span in each.spans] if sums.kept else None,
    }  # fmt: skip


def _span(span: ShippedSpan) -> dict[str, Any]:
    where = span.where or Frame("", "", 0, "", "")
    return {
        "parent": span.parent, "kind": span.kind, "name": span.name, "offset_ns": span.offset_ns,
        "duration_ns": span.duration_ns, "statement": span.statement, "file": where.file or None,
        "line": where.line or None, "function": where.function or None,
        "tags": json.dumps(span.tags, ensure_ascii=False, default=str) if span.tags else None,
    }  # fmt: skip
