"""What the agent adds to a request: bare against agent, interleaved in one run.

Two worker processes, one bare and one with the agent, run the same application in-process and take turns: a batch
here, a batch there. Each figure is the median over batches, so that a neighbour's noise falls on both alike.

    python benchmarks/overhead.py [--rounds 40] [--batch 400] [--json out.json]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[[int], None]

ENVIRON = {
    "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "localhost",
    "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1",
    "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.multithread": True, "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}  # fmt: skip


def call_wsgi(app: Any, path: str) -> Run:
    import io

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        return lambda data: None

    def run(times: int) -> None:
        for _ in range(times):
            environ = {**ENVIRON, "PATH_INFO": path, "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
            body = app(environ, start_response)
            for _chunk in body:
                pass
            close = getattr(body, "close", None)
            if close is not None:
                close()

    return run


def call_asgi(app: Any, path: str) -> Run:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": [(b"host", b"localhost")],
        "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 5),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        return None

    loop = asyncio.new_event_loop()

    async def many(times: int) -> None:
        for _ in range(times):
            # A task a request, as servers do.
            await loop.create_task(app(dict(scope), receive, send))

    return lambda times: loop.run_until_complete(many(times))


def _wrap(app: Any, kind: str) -> Any:
    if os.environ["MODE"] == "bare":
        return app
    import apm_agent

    return (apm_agent.wsgi if kind == "wsgi" else apm_agent.asgi)(app)


def _spans(count: int) -> None:
    import apm_agent

    for _ in range(count):
        with apm_agent.span("part"):
            pass


def raw_wsgi() -> Run:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    return call_wsgi(_wrap(app, "wsgi"), "/")


def raw_wsgi_ten_spans() -> Run:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        if os.environ["MODE"] != "bare":
            _spans(10)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    return call_wsgi(_wrap(app, "wsgi"), "/")


def raw_wsgi_ten_selects() -> Run:
    if os.environ["MODE"] != "bare":
        import apm_agent

        apm_agent.install()
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (id integer primary key, name text)")
    connection.executemany("insert into t values (?, ?)", [(i, str(i)) for i in range(100)])

    def app(environ: Any, start_response: Any) -> list[bytes]:
        for i in range(10):
            connection.execute("select name from t where id = ?", (i,)).fetchall()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    return call_wsgi(_wrap(app, "wsgi"), "/")


def raw_asgi() -> Run:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return call_asgi(_wrap(app, "asgi"), "/")


def flask() -> Run:
    from flask import Flask

    app = Flask(__name__)

    @app.get("/hello")
    def hello() -> str:
        return "ok"

    if os.environ["MODE"] != "bare":
        from apm_agent.integrations.flask import init_app

        init_app(app)
    return call_wsgi(app, "/hello")


def starlette() -> Run:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(request: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/hello", hello)])
    if os.environ["MODE"] != "bare":
        from apm_agent.integrations.asgi import APMMiddleware

        app.add_middleware(APMMiddleware)
    return call_asgi(app, "/hello")


def django() -> Run:
    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import path

    settings.configure(
        SECRET_KEY="benchmark", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None,
        INSTALLED_APPS=["apm_agent.integrations.django"] if os.environ["MODE"] != "bare" else [],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    )  # fmt: skip
    import django as library

    library.setup()
    globals()["urlpatterns"] = [path("hello", lambda request: HttpResponse("ok"))]
    from django.core.wsgi import get_wsgi_application

    return call_wsgi(get_wsgi_application(), "/hello")


CASES: dict[str, Callable[[], Run]] = {
    f.__name__: f
    for f in (raw_wsgi, raw_asgi, flask, starlette, django, raw_wsgi_ten_spans, raw_wsgi_ten_selects)
}


def _rss_kib() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def worker(case: str) -> None:
    """Read commands from stdin: a number of requests to run, `idle S`, `flush` or `quit`; answer with JSON."""
    run = CASES[case]()
    run(200)
    gc.collect()
    gc.freeze()
    print(json.dumps({"rss": _rss_kib()}), flush=True)
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        if command == "quit":
            break
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        switches = _switches()
        if command == "idle":
            time.sleep(float(rest))
            count = 1
        elif command == "flush":
            count = 1
            if os.environ["MODE"] != "bare":
                import apm_agent

                apm_agent.flush(20)
        else:
            count = int(command)
            run(count)
        answer = {
            "wall": (time.perf_counter_ns() - wall) / count, "cpu": (time.process_time_ns() - cpu) / count,
            "rss": _rss_kib(), "switches": _switches() - switches,
        }  # fmt: skip
        print(json.dumps(answer), flush=True)


def _switches() -> int:
    total = 0
    for task in Path("/proc/self/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


class Worker:
    def __init__(self, case: str, mode: str, folder: str) -> None:
        env = {**os.environ, "MODE": mode, "APM_AGENT_STORE": f"sqlite:///{folder}/{case}/apm.db"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", case], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=env, cwd=folder,
        )  # fmt: skip
        self.first = self._answer()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended early with {self.process.wait()}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def ask(self, command: str) -> dict[str, float]:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        self.process.wait(30)


def compare(case: str, rounds: int, batch: int, folder: str) -> dict[str, Any]:
    workers = {mode: Worker(case, mode, folder) for mode in ("bare", "agent")}
    walls: dict[str, list[float]] = {"bare": [], "agent": []}
    cpus: dict[str, list[float]] = {"bare": [], "agent": []}
    for i in range(rounds):
        order = ("bare", "agent") if i % 2 else ("agent", "bare")
        for mode in order:
            answer = workers[mode].ask(str(batch))
            walls[mode].append(answer["wall"])
        # What was put off until the writer's turn is counted too.
        workers["agent"].ask("flush")
    for mode in ("bare", "agent"):
        for _ in range(max(5, rounds // 4)):
            first = workers[mode].ask(str(batch))
            rest = workers[mode].ask("flush")
            cpus[mode].append(first["cpu"] + rest["cpu"] / batch)
    rss = {mode: workers[mode].ask("1")["rss"] for mode in workers}
    for one in workers.values():
        one.close()
    added = [a - b for a, b in zip(walls["agent"], walls["bare"], strict=True)]
    bare, agent = statistics.median(walls["bare"]), statistics.median(walls["agent"])
    return {
        "case": case, "bare_us": bare / 1e3, "agent_us": agent / 1e3, "added_us": statistics.median(added) / 1e3,
        "ratio": agent / bare,
        "cpu_added_us": (statistics.median(cpus["agent"]) - statistics.median(cpus["bare"])) / 1e3,
        "rss_added_mib": (rss["agent"] - rss["bare"]) / 1024,
    }  # fmt: skip


def idle(folder: str, seconds: float = 20.0) -> dict[str, float]:
    one = Worker("raw_wsgi", "agent", folder)
    one.ask("500")
    one.ask("flush")
    time.sleep(5)
    answer = one.ask(f"idle {seconds}")
    one.close()
    return {
        "cpu_percent": answer["cpu"] / (seconds * 1e9) * 100,
        "wakeups_per_s": answer["switches"] / seconds,
    }


def import_ms(repeat: int = 15) -> tuple[float, float]:
    """Median milliseconds of a bare interpreter and of one that imports the package."""
    took: dict[str, list[float]] = {"pass": [], "import apm_agent": []}
    for _ in range(repeat):
        for code, times in took.items():
            started = time.perf_counter_ns()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append((time.perf_counter_ns() - started) / 1e6)
    return statistics.median(took["pass"]), statistics.median(took["import apm_agent"])


def sampler_share(folder: str) -> dict[str, float]:
    """CPU share of the sampler at 100 looks a second while one thread computes, by its own thread clock."""
    code = (
        "import apm_agent, json, time\n"
        "apm_agent.install(sample_interval=0.01)\n"
        "from apm_agent import agent\n"
        "with apm_agent.background_transaction('loop'):\n"
        "    end = time.monotonic() + 8\n"
        "    while time.monotonic() < end: sum(range(1000))\n"
        "print(json.dumps(agent._agent.sampler.stats()))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder,
        env={**os.environ, "APM_AGENT_STORE": f"sqlite:///{folder}/sampler/apm.db"},
    )  # fmt: skip
    answer: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--batch", type=int, default=400)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--json")
    parser.add_argument("--worker")
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    results: dict[str, Any] = {"python": sys.version.split()[0], "cases": []}
    with tempfile.TemporaryDirectory() as folder:
        print(f"Python {results['python']}, {options.rounds} rounds of {options.batch} requests, medians")
        print(
            f"{'case':22} {'bare µs':>9} {'agent µs':>9} {'added µs':>9} {'ratio':>7} {'CPU+ µs':>9} {'RSS+ MiB':>9}"
        )
        for case in options.case or CASES:
            row = compare(case, options.rounds, options.batch, folder)
            results["cases"].append(row)
            print(
                f"{case:22} {row['bare_us']:9.1f} {row['agent_us']:9.1f} {row['added_us']:9.1f} {row['ratio']:7.2f}"
                f" {row['cpu_added_us']:9.1f} {row['rss_added_mib']:9.1f}",
                flush=True,
            )
        added = {row["case"]: row["added_us"] for row in results["cases"]}
        if {"raw_wsgi", "raw_wsgi_ten_spans", "raw_wsgi_ten_selects"} <= set(added):
            results["span_us"] = (added["raw_wsgi_ten_spans"] - added["raw_wsgi"]) / 10
            results["sql_span_us"] = (added["raw_wsgi_ten_selects"] - added["raw_wsgi"]) / 10
            print(f"a span {results['span_us']:.2f} µs, an SQL span {results['sql_span_us']:.2f} µs")
        if not options.case:
            results["import_ms"] = import_ms()
            print(
                "import: bare interpreter {:.1f} ms, with apm_agent {:.1f} ms".format(*results["import_ms"])
            )
            results["idle"] = idle(folder)
            print(
                "idle: {cpu_percent:.3f} % CPU, {wakeups_per_s:.2f} wake-ups a second".format(
                    **results["idle"]
                )
            )
            results["sampler"] = sampler_share(folder)
            print(f"sampler: {results['sampler']}")
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
