"""What watching adds to one call of each library, beside OpenTelemetry's, Sentry's and Elastic's instrumentations.

    python benchmarks/libraries.py [--rounds 15] [--calls 200] [--case redis] [--watcher ours] [--spread]

Each library is called by processes of its own: one bare, one a watcher. All are kept on one processor, with the servers
they call: spread over several, a call waits for another processor to wake, which takes from 10 to 100 µs as the machine
likes and is no watcher's doing (`--spread` leaves them where the system puts them). They take turns, batch by
batch, in one run;
a figure is the median over rounds of what a call took with a watcher minus bare, and with ÷ bare. A batch is inside
one transaction, and each call's span is really made and handed on: ours to the writer and its store; OpenTelemetry's
through a SimpleSpanProcessor to an exporter that drops it; Sentry's in a transaction to a transport that drops it;
Elastic's to its queue, sent nowhere. A watcher that is not installed, or that handed on fewer spans than calls in the
first batch (it does not know the library, or not called like this), is shown as –; they come with
`pip install sentry-sdk elastic-apm opentelemetry-sdk opentelemetry-instrumentation-redis` (and so on, by library).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.server
import importlib
import inspect
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from library_calls import CASES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

#: Microseconds that may be added to a statement of one row, and to a GET.
BUDGETS = dict.fromkeys(
    (
        "sqlite3", "psycopg", "pymysql", "redis", "aiosqlite", "asyncpg", "psycopg_async", "aiomysql",
        "redis_async",
    ),
    5.0,
)  # fmt: skip
#: Spans that were handed to the exporter or transport of another watcher than ours.
_handed: list[int] = []
WATCHERS = ("ours", "opentelemetry", "sentry", "elastic")
#: What OpenTelemetry's package is called, where it is not as the case. Of Django it watches requests only; the ORM is
#: seen at the driver, and so is aiosqlite.
_INSTRUMENTATION = {
    "django": "sqlite3", "aiosqlite": "sqlite3", "psycopg_async": "psycopg", "redis_async": "redis",
    "sqlalchemy_async": "sqlalchemy", "httpx_async": "httpx", "aiohttp": "aiohttp_client",
}  # fmt: skip


def _ours(case: str) -> Callable[[], AbstractContextManager[Any]]:
    import apm_agent

    apm_agent.install(store=f"sqlite:///{os.environ['BENCH_FOLDER']}/apm.db")
    return lambda: apm_agent.background_transaction("batch")


def _opentelemetry(case: str) -> Callable[[], AbstractContextManager[Any]]:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            _handed.append(len(spans))
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)
    module = importlib.import_module(f"opentelemetry.instrumentation.{_INSTRUMENTATION.get(case, case)}")
    names = (name for name in vars(module) if name.endswith("Instrumentor") and name != "BaseInstrumentor")
    getattr(module, next(names))().instrument()
    tracer = trace.get_tracer("bench")
    return lambda: tracer.start_as_current_span("batch")


def _sentry(case: str) -> Callable[[], AbstractContextManager[Any]]:
    import sentry_sdk
    from sentry_sdk.transport import Transport

    class Nowhere(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            event = envelope.get_transaction_event()
            _handed.append(len(event["spans"]) if event else 0)

    sentry_sdk.init(dsn="http://key@127.0.0.1:1/1", traces_sample_rate=1.0, transport=Nowhere)
    return lambda: sentry_sdk.start_transaction(name="batch")


def _elastic(case: str) -> Callable[[], AbstractContextManager[Any]]:
    import elasticapm

    client = elasticapm.Client(
        service_name="bench",
        disable_send=True,
        metrics_interval="0ms",
        cloud_provider="none",
        span_compression_enabled=False,
    )
    elasticapm.instrument()

    @contextlib.contextmanager
    def batch() -> Iterator[None]:
        transaction = client.begin_transaction("batch")
        yield
        _handed.append(transaction._span_counter - transaction.dropped_spans)
        client.end_transaction("batch", "success")

    return batch


_BATCHES = {"ours": _ours, "opentelemetry": _opentelemetry, "sentry": _sentry, "elastic": _elastic}


def worker(case: str, watcher: str, port: int, calls: int) -> None:
    """Time a batch for each line that comes in, and say what one call took in nanoseconds."""
    try:
        batch = _BATCHES[watcher](case) if watcher else contextlib.nullcontext
        run = _timed(CASES[case][0], port, calls)
    except (ImportError, StopIteration) as error:
        print(f"absent {error!r}", flush=True)
        return
    print("ready", flush=True)
    for _ in sys.stdin:
        with batch():
            taken = run()
        if watcher not in ("", "ours") and sum(_handed) < calls:
            print("nothing was recorded", flush=True)
            return
        print(taken / calls, flush=True)
    os._exit(0)  # what a watcher does at exit is not measured


def _timed(make: Callable[[int], Any], port: int, calls: int) -> Callable[[], int]:
    """What makes the calls one after the other and says how long they took."""
    if not inspect.iscoroutinefunction(make):
        call = make(port)

        def run() -> int:
            started = time.perf_counter_ns()
            for _ in range(calls):
                call()
            return time.perf_counter_ns() - started

        return run
    # One loop for all batches; each is a task of its own, in the context of its batch.
    loop = asyncio.new_event_loop()
    ask = loop.run_until_complete(make(port))

    async def run_async() -> int:
        started = time.perf_counter_ns()
        for _ in range(calls):
            await ask()
        return time.perf_counter_ns() - started

    return lambda: loop.run_until_complete(run_async())


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # In one piece: two would wait for each other's acknowledgement.
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def _http() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _server(kind: str, folder: Path) -> AbstractContextManager[int]:
    if not kind:
        return contextlib.nullcontext(0)
    if kind == "http":
        return _http()
    import daemons
    import databases

    if kind == "redis":
        return daemons.redis(folder)
    return getattr(daemons if kind == "memcached" else databases, kind)()  # type: ignore[no-any-return]


def measure(case: str, watchers: list[str], rounds: int, calls: int) -> dict[str, list[float]]:
    """Nanoseconds a call of each round, of bare (``""``) and of each watcher that is installed."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        port = stack.enter_context(_server(CASES[case][1], Path(place)))
        running: dict[str, subprocess.Popen[str]] = {}
        for watcher in ("", *watchers):
            command = [sys.executable, __file__, "--worker", case, watcher, str(port), "--calls", str(calls)]
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "BENCH_FOLDER": place},
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            if _ask(process, "") == "ready":
                running[watcher] = process
        told: dict[str, list[float]] = {watcher: [] for watcher in running}
        for turn in range(rounds + 1):
            # The order turns round, so that nobody always follows the same one.
            for watcher in list(running)[:: 1 if turn % 2 else -1]:
                said = _ask(running[watcher], "\n")
                if not turn and not said.replace(".", "", 1).isdigit():
                    del running[watcher], told[watcher]
                    continue
                taken = float(said)
                if turn:  # the first is to get warm
                    told[watcher].append(taken)
        return told


def _ask(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline().strip()


def main() -> int:
    """A row a library; ends with 1 where ours adds more than its budget."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--calls", type=int, default=200, help="a batch; beyond 500 Elastic drops spans (200)"
    )
    parser.add_argument("--case", action="append", choices=list(CASES), help="only these libraries")
    parser.add_argument("--watcher", action="append", choices=WATCHERS, help="only these watchers")
    parser.add_argument("--spread", action="store_true", help="not all on one processor")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        case, watcher, port = options.worker
        worker(case, watcher, int(port), options.calls)
        return 0
    if not options.spread and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # what is started from here stays there too
    watchers = options.watcher or list(WATCHERS)
    print("| a call of | bare µs |" + "".join(f" {name} adds µs (ratio) |" for name in watchers))
    print("|---|--:|" + "--:|" * len(watchers), flush=True)
    over = []
    for case in options.case or CASES:
        told = measure(case, watchers, options.rounds, options.calls)
        if "" not in told:
            print(f"| {case} | not installed |" + " – |" * len(watchers), flush=True)
            continue
        cells = []
        for name in watchers:
            if name not in told:
                cells.append("–")
                continue
            pairs = list(zip(told[name], told[""], strict=True))
            added = statistics.median(seen - bare for seen, bare in pairs) / 1000
            cells.append(f"{added:.1f} ({statistics.median(seen / bare for seen, bare in pairs):.2f})")
            if name == "ours" and added > BUDGETS.get(case, float("inf")):
                over.append(f"{case}: {added:.1f} µs added, budget {BUDGETS[case]:.1f}")
        bare = statistics.median(told[""]) / 1000
        print(f"| {case} | {bare:.1f} | " + " | ".join(cells) + " |", flush=True)
    if over:
        print("over budget: " + "; ".join(over), file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
