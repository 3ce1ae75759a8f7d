"""``<mount>/metrics``: the rollups in Prometheus' text format, for whoever already has graphs and alerts elsewhere.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (0.0.4). Counters begin at midnight UTC, which
Prometheus' `rate` and `increase` take for a restart: so a scrape reads one row an endpoint, however old the store is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from werkzeug.wrappers import Response

from apm_agent.queries.connection import Connection
from apm_agent.queries.metrics import BOUNDS, SPANS, EndpointDay, alive, endpoints_today, store_bytes

ADDRESS = "metrics"
_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "apm_agent_"

#: Labels and value.
Sample = tuple[str, dict[str, object], float]


def metrics(connection: Connection) -> Response:
    """All of them as one text."""
    found = endpoints_today(connection)
    processes = alive(connection)
    lines = [
        *_family(
            "transactions_total", "counter", "Transactions that ended, since midnight UTC.",
            (("", _labels(each), each.calls) for each in found),
        ),
        *_family(
            "transaction_errors_total", "counter",
            "Of these, those ended by an exception or a status of 500 or more.",
            (("", _labels(each), each.errors) for each in found),
        ),
        *_family(
            "transaction_duration_seconds", "histogram", "How long requests and jobs took.",
            (sample for each in found for sample in _durations(each)),
        ),
        *_family(
            "transaction_span_seconds_total", "counter", "Time in spans of a kind, which may overlap.",
            (
                ("", {**_labels(each), "span": kind}, ns / 1e9)
                for each in found
                for kind, ns in zip(SPANS, each.spans_ns, strict=True)
                if ns
            ),
        ),
        *_family(
            "transaction_queries_total", "counter", "Database statements they ran.",
            (("", _labels(each), each.queries) for each in found),
        ),
        *_family(
            "process_resident_bytes", "gauge", "Resident memory of the worker processes heard of lately.",
            (("", _worker(each), each.rss) for each in processes if each.rss is not None),
        ),
        *_family(
            "transactions_dropped_total", "counter", "Transactions a process had no room to keep, since its start.",
            (("", _worker(each), each.dropped) for each in processes if each.dropped is not None),
        ),
        *_family("store_bytes", "gauge", "Size of the store.", [("", {}, store_bytes(connection))]),
    ]  # fmt: skip
    return Response("\n".join(lines) + "\n", content_type=_TYPE)


def _durations(each: EndpointDay) -> Iterator[Sample]:
    if each.below is None:
        return
    labels = _labels(each)
    for bound, count in zip(BOUNDS, each.below, strict=True):
        yield "_bucket", {**labels, "le": repr(bound / 1e9)}, count
    yield "_bucket", {**labels, "le": "+Inf"}, each.calls
    yield "_sum", labels, each.duration_ns / 1e9
    yield "_count", labels, each.calls


def _labels(each: EndpointDay) -> dict[str, object]:
    return {"service": each.service, "kind": each.kind, "endpoint": each.name}


def _worker(each: Any) -> dict[str, object]:
    return {"service": each.service, "host": each.host, "pid": each.pid}


def _family(name: str, kind: str, what: str, samples: Iterable[Sample]) -> Iterator[str]:
    """A metric with its samples; nothing where there are none."""
    lines = [f"{_PREFIX}{name}{ending}{_braces(labels)} {value}" for ending, labels, value in samples]
    if lines:
        yield f"# HELP {_PREFIX}{name} {what}"
        yield f"# TYPE {_PREFIX}{name} {kind}"
        yield from lines


def _braces(labels: dict[str, object]) -> str:
    inside = ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str) -> str:
    # Half a surrogate pair cannot be written as UTF-8 at all.
    readable = text.encode("utf-8", "replace").decode("utf-8")
    return readable.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
