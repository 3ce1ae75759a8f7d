"""`apm-agent ship`: a collector that reads the official schema gets each transaction once, whole."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from apm_agent.exporters import otlp
from apm_agent.model.profile import Frame
from apm_agent.model.shipment import Origin, Shipped, ShippedSpan
from servers import PYTHON, environment, running

SHIP = [PYTHON, "-m", "apm_agent", "ship"]

#: Transactions of a store: one with a query, a span and a failure.
WORK = """
import sqlite3, sys, apm_agent
apm_agent.install(service="shop", environment="test", release="1.2", sampler=False)

def price():
    raise LookupError("no price for 'secret'")

with apm_agent.background_transaction("nightly"):
    apm_agent.add_context(customer_count=3)
    with apm_agent.span("sum up", rows=7):
        sqlite3.connect(":memory:").execute("SELECT 'secret'").fetchall()

def app(environ, start_response):
    if environ["PATH_INFO"] == "/fail":
        price()
    start_response("200 OK", [])
    return [b"x"]

app = apm_agent.wsgi(app)
for path in ("/orders/7", "/fail"):
    try:
        list(app({"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "secret=1"}, lambda *_: None))
    except LookupError:
        pass
"""


class Collector:
    """A small collector: what it took, parsed; it first answers with the statuses it is told."""

    def __init__(self, statuses: list[int]) -> None:
        self.statuses = statuses
        self.taken: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.arrived = threading.Event()
        self.url = ""

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.taken
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resource(self) -> dict[str, Any]:
        return attributes(self.taken[0].resource_spans[0].resource.attributes)


@contextmanager
def collecting(*statuses: int) -> Iterator[Collector]:
    collector = Collector(list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = collector.statuses.pop(0) if collector.statuses else 200
            if status == 200:
                assert self.path == "/v1/traces"
                collector.taken.append(ExportTraceServiceRequest.FromString(body))
                collector.headers.append(dict(self.headers))
                collector.arrived.set()
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def plain(value: AnyValue) -> Any:
    return getattr(value, str(value.WhichOneof("value")))


def attributes(pairs: Any) -> dict[str, Any]:
    found: list[KeyValue] = list(pairs)
    return {pair.key: plain(pair.value) for pair in found}


def work(folder: Path) -> None:
    subprocess.run([PYTHON, "-c", WORK], env=environment(), cwd=folder, check=True, timeout=60)


def ship(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SHIP, *options], env=environment(**variables), cwd=folder, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work(tmp_path)
    return tmp_path


def test_a_collector_gets_each_transaction_whole(folder: Path) -> None:
    with collecting() as collector:
        done = ship(folder, "--to", collector.url, "--once", "--header", "X-Key=k")
    assert done.returncode == 0, done.stderr
    assert "shipped 3 transactions" in done.stderr
    assert collector.headers[0]["X-Key"] == "k"
    assert collector.headers[0]["Content-Type"] == "application/x-protobuf"
    told = collector.resource()
    assert (told["service.name"], told["service.version"]) == ("shop", "1.2")
    assert told["deployment.environment.name"] == "test"
    spans = {span.name: span for span in collector.spans}
    nightly, summed, query = spans["nightly"], spans["sum up"], spans["SELECT"]
    assert (nightly.kind, summed.kind, query.kind) == (
        Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_CLIENT,
    )  # fmt: skip
    assert nightly.parent_span_id == b""
    assert summed.parent_span_id == nightly.span_id
    assert query.parent_span_id == summed.span_id
    assert {span.trace_id for span in (nightly, summed, query)} == {nightly.trace_id}
    assert (len(nightly.trace_id), len(nightly.span_id)) == (16, 8)
    assert nightly.start_time_unix_nano <= query.start_time_unix_nano
    assert query.end_time_unix_nano <= nightly.end_time_unix_nano
    assert attributes(nightly.attributes)["apm_agent.context.customer_count"] == 3
    assert attributes(summed.attributes)["rows"] == 7
    assert attributes(query.attributes)["db.query.text"] == "SELECT ?"
    served = spans["GET /orders/{id}"]
    assert served.kind == Span.SPAN_KIND_SERVER
    facts = attributes(served.attributes)
    assert (facts["http.request.method"], facts["http.route"], facts["http.response.status_code"]) == (
        "GET", "/orders/{id}", 200,
    )  # fmt: skip
    assert served.status.code == Status.STATUS_CODE_UNSET
    failed = spans["GET /fail"]
    assert failed.status.code == Status.STATUS_CODE_ERROR
    [event] = failed.events
    assert attributes(event.attributes)["exception.type"] == "LookupError"
    assert attributes(event.attributes)["code.function.name"] == "price"
    assert b"secret" not in b"".join(request.SerializeToString() for request in collector.taken)


def test_what_a_collector_cannot_take_now_is_sent_again_and_once(folder: Path) -> None:
    with collecting(503, 429) as collector:
        done = ship(folder, "--once", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url.removesuffix("/v1/traces"))
    assert done.returncode == 0, done.stderr
    assert sorted(span.name for span in collector.spans if not span.parent_span_id) == [
        "GET /fail", "GET /orders/{id}", "nightly",
    ]  # fmt: skip


@pytest.mark.parametrize("status", [400, 401, 302])
def test_a_refusal_is_told_with_the_cure_and_nothing_goes_elsewhere(folder: Path, status: int) -> None:
    with collecting(status) as collector:
        done = ship(folder, "--to", collector.url, "--once")
    assert done.returncode == 2
    assert f"answered {status}" in done.stderr
    assert "--header" in done.stderr
    assert collector.taken == []


def test_it_follows_what_comes_and_ends_on_ctrl_c(folder: Path) -> None:
    with collecting() as collector:
        words = [*SHIP, "--to", collector.url, "--each", "0.1"]
        with running(words, env=environment(), cwd=folder) as program:
            program.wait_for_output("shipping ")
            work(folder)
            assert collector.arrived.wait(20), program.output
            while len([span for span in collector.spans if not span.parent_span_id]) < 3:
                collector.arrived.clear()
                assert collector.arrived.wait(20), program.output
            assert program.stop(signum=2) == 0
            assert "Traceback" not in program.output
    assert len({span.span_id for span in collector.spans}) == len(collector.spans)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--to", "ftp://x/y"], "is no address of HTTP"),
        (["--to", "http://x", "--header", "name"], "must look like NAME=VALUE"),
        (["--to", "http://127.0.0.1:9/v1/traces", "--once", "--range", "9y"], "9y"),
    ],
)
def test_what_is_wrong_is_said_in_words(folder: Path, options: list[str], words: str) -> None:
    done = ship(folder, *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


class GrpcCollector(TraceServiceServicer):
    """A collector that speaks gRPC, and is busy at first."""

    def __init__(self) -> None:
        self.busy = 1
        self.taken: list[ExportTraceServiceRequest] = []
        self.metadata: list[dict[str, Any]] = []

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:
        if self.busy:
            self.busy -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        self.taken.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        return ExportTraceServiceResponse()


def test_a_collector_that_speaks_grpc_gets_the_same(folder: Path) -> None:
    collector = GrpcCollector()
    server = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        to = ["--to", f"http://127.0.0.1:{port}", "--protocol", "grpc"]
        done = ship(folder, *to, "--once", "--header", "X-Key=k")
    finally:
        server.stop(None).wait()
    assert done.returncode == 0, done.stderr
    assert "shipped 3 transactions" in done.stderr
    [request] = collector.taken
    assert collector.metadata[0]["x-key"] == "k"
    names = {span.name for scope in request.resource_spans[0].scope_spans for span in scope.spans}
    assert {"nightly", "sum up", "GET /fail"} <= names


TEXTS = st.text(max_size=40)
SPANS = st.builds(
    ShippedSpan,
    parent=st.none() | st.integers(-1, 5), kind=TEXTS, name=TEXTS, offset_ns=st.integers(-10, 2**62),
    duration_ns=st.integers(0, 2**62), statement=st.none() | TEXTS,
    where=st.none() | st.builds(Frame, TEXTS, TEXTS, st.integers(-1, 2**40), TEXTS, TEXTS),
    tags=st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS),
)  # fmt: skip
SHIPPED = st.builds(
    Shipped,
    id=st.integers(0, 2**63 - 1), origin=st.builds(Origin, TEXTS, TEXTS, TEXTS, TEXTS, st.integers(0, 2**31), TEXTS),
    kind=st.sampled_from(["web", "background", "websocket", "stream"]), name=TEXTS, view=st.none() | TEXTS,
    started_ns=st.integers(0, 2**62), duration_ns=st.integers(0, 2**62), method=st.none() | TEXTS,
    path=st.none() | TEXTS, status=st.none() | st.integers(0, 999), failed=st.booleans(),
    error=st.none() | st.tuples(TEXTS, TEXTS), where=st.none(), queue_ns=st.none() | st.integers(0, 2**62),
    cpu_ns=st.none() | st.integers(0, 2**62),
    context=st.dictionaries(TEXTS | st.sampled_from(["trace_id", "called_by"]), TEXTS | st.just("ab" * 16)),
    spans=st.lists(SPANS, max_size=4),
)  # fmt: skip


@given(st.lists(SHIPPED, max_size=3))
def test_whatever_is_in_the_store_is_valid_for_the_official_schema(shipped: list[Shipped]) -> None:
    read = ExportTraceServiceRequest.FromString(otlp.encode(shipped, "1.0"))
    spans = [s for r in read.resource_spans for scope in r.scope_spans for s in scope.spans]
    assert len(spans) == sum(1 + len(one.spans) for one in shipped)
    assert all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)
    assert all(len(span.parent_span_id) in {0, 8} for span in spans)


def test_a_transaction_belongs_to_the_trace_that_called_it() -> None:
    origin = Origin("shop", "", "", "host", 1, "3.11")
    one = Shipped(
        0x1234, origin, "web", "GET /", None, 10**18, 10**6, "GET", "/", 200, False, None, None, None, None,
        {"trace_id": "0af7651916cd43dd8448eb211c80319c", "called_by": "b7ad6b7169203331"}, [],
    )  # fmt: skip
    read = ExportTraceServiceRequest.FromString(otlp.encode([one], "1.0"))
    [span] = read.resource_spans[0].scope_spans[0].spans
    assert span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert span.parent_span_id.hex() == "b7ad6b7169203331"
    assert span.span_id.hex() == "0000000000001234"


def test_a_call_of_a_grpc_server_is_told_as_one() -> None:
    origin = Origin("shop", "", "", "host", 1, "3.11")
    one = Shipped(
        1, origin, "web", "GRPC /shop.Shop/Get", None, 10**18, 10**6, "GRPC", "/shop.Shop/Get", 404, False, None, None,
        None, None, {}, [],
    )  # fmt: skip
    read = ExportTraceServiceRequest.FromString(otlp.encode([one], "1.0"))
    [span] = read.resource_spans[0].scope_spans[0].spans
    facts = attributes(span.attributes)
    assert (facts["rpc.system"], facts["rpc.method"]) == ("grpc", "shop.Shop/Get")
    assert not any(name.startswith("http.") for name in facts)
