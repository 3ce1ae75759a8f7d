"""Spans made through OpenTelemetry's API become ours, once, and whoever exports them notices nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from servers import PYTHON, environment

HEAD = """
import json, sqlite3, warnings
import apm_agent
from apm_agent.errors import contained
apm_agent.install(sampler=False, memory=False)
from apm_agent.tracing import tracer as tracing
ended = []
tracing.tracer = tracing.Tracer(sink=ended.append)
from opentelemetry import trace
from opentelemetry.trace import SpanKind

def tell():
    assert not contained.seen, contained.seen
    [transaction] = ended
    print(json.dumps([
        [span.kind, span.name, span.parent.name if span.parent else None, span.tags, bool(span.end_ns), span.statement]
        for span in transaction.spans
    ]))
"""
SDK = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""


def run(code: str, folder: Path, head: str = HEAD) -> list[Any]:
    done = subprocess.run(
        [PYTHON, "-W", "error::RuntimeWarning", "-c", head + code + "\ntell()"], env=environment(), cwd=folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Overriding" not in done.stderr
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


USE = """
tracer = trace.get_tracer("shop")

@tracer.start_as_current_span("decorated")
def decorated():
    return 7

with apm_agent.background_transaction("job"):
    with tracer.start_as_current_span("order", attributes={"order.items": 3, "url.full": "http://x/?secret=1"}) as span:
        span.set_attribute("order.kind", "gift")
        span.set_attribute("http.request.header.cookie", "secret")
        with sqlite3.connect(":memory:") as connection:
            connection.execute("SELECT 1").fetchall()
    assert decorated() == 7
    loose = tracer.start_span("loose", kind=SpanKind.CLIENT)
    loose.update_name("renamed")
    loose.end()
    try:
        with tracer.start_as_current_span("fails"):
            raise LookupError("no such price")
    except LookupError:
        pass
with tracer.start_as_current_span("outside"):
    pass
"""


def looked(found: list[Any]) -> list[Any]:
    """Without what sqlite3 opens and closes."""
    return [
        [*span[:3], span[3], span[4]]
        for span in found
        if span[1] not in {"CONNECT", "COMMIT", "connect", "commit"}
    ]


WANTED_NAMES = ["order", "decorated", "renamed", "fails"]


def check(found: list[Any]) -> None:
    assert [span[1] for span in found if span[0] != "db"] == WANTED_NAMES
    assert all(span[4] for span in found)
    by_name = {span[1]: span for span in found}
    assert by_name["order"][3] == {"order.items": 3, "order.kind": "gift"}
    assert by_name["order"][2] is None
    assert {span[2] for span in found if span[0] == "db"} <= {"order"}
    assert [span[5] for span in found if span[5]] == ["SELECT 1"]
    assert by_name["renamed"][0] == "http"
    assert by_name["fails"][3] == {"error": "LookupError"}


def test_with_the_api_alone(tmp_path: Path) -> None:
    check(run(USE + "assert type(trace.get_tracer_provider()).__name__ == 'ProxyTracerProvider'", tmp_path))


def test_a_provider_that_is_set_stays_and_exports_the_same(tmp_path: Path) -> None:
    names = "print([s.name for s in exporter.get_finished_spans()])\n"
    found = run(
        SDK + USE + "assert trace.get_tracer_provider() is provider\n"
        "assert [s.name for s in exporter.get_finished_spans()] =="
        " ['order', 'decorated', 'renamed', 'fails', 'outside']\n" + names,
        tmp_path,
    )
    check(found)


def test_a_provider_may_be_set_later(tmp_path: Path) -> None:
    check(run(USE + SDK + "assert trace.get_tracer_provider() is provider\n", tmp_path))


def test_a_provider_that_was_there_before_us(tmp_path: Path) -> None:
    before = "from opentelemetry import trace\n" + SDK
    check(run(USE, tmp_path, before + HEAD))


def test_what_we_see_ourselves_is_not_counted_twice(tmp_path: Path) -> None:
    found = run(
        SDK
        + """
requests = trace.get_tracer("opentelemetry.instrumentation.requests")
flask = trace.get_tracer("opentelemetry.instrumentation.flask")
other = trace.get_tracer("opentelemetry.instrumentation.kafka")
with apm_agent.background_transaction("job"):
    with flask.start_as_current_span("GET /", kind=SpanKind.SERVER):
        with requests.start_as_current_span("GET", kind=SpanKind.CLIENT):
            pass
        with trace.get_tracer("elasticsearch-api").start_as_current_span("search", kind=SpanKind.CLIENT):
            pass
        with other.start_as_current_span("send", kind=SpanKind.PRODUCER):
            pass
        attributes = {"db.system": "postgresql", "db.statement": "SELECT 'secret'"}
        with trace.get_tracer("driver").start_as_current_span("query", kind=SpanKind.CLIENT, attributes=attributes):
            sqlite3.connect(":memory:").execute("SELECT 2")
""",
        tmp_path,
    )
    assert [(span[0], span[1], span[5]) for span in found] == [
        ("http", "send", None),
        ("db", "query", "SELECT 'secret'"),  # as it came: the writer normalises it
    ]


def test_uninstalled_the_api_is_as_it_was(tmp_path: Path) -> None:
    run(
        USE + "apm_agent.uninstall()\n"
        "assert not hasattr(trace.NoOpTracer.start_span, '__wrapped__')\n"
        "assert trace.get_tracer('x').start_span('y') is trace.INVALID_SPAN\n",
        tmp_path,
    )
