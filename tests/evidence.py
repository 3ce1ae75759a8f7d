"""All that anybody can see of what the agent kept: files, tables, answers, exports, what commands print."""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
from werkzeug.test import Client

from apm_agent.exporters import EXPORTERS
from apm_agent.web.app import dashboard
from servers import PYTHON, environment

#: What shows it → what is shown.
Evidence = dict[str, str]


def run(*command: str, **variables: str) -> str:
    done = subprocess.run(
        [PYTHON, "-m", "apm_agent", *command], env=environment(**variables), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def files(store: Path, when: str) -> Evidence:
    """Each file of the store's folder as it is, and each value of the store, unpacked."""
    # By another process: to close a file of the store here would give up the locks of the writer here, and whoever
    # opens the store next would cut the memory they share from under it.
    read = {
        f"{path.name} {when}": subprocess.run(["cat", path], capture_output=True, check=True).stdout.decode(
            "latin-1"
        )
        for path in store.parent.rglob("*")
        if path.is_file()
    }
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as file:
        for (table,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = file.execute(f'SELECT * FROM "{table}"').fetchall()
            read[f"table {table} {when}"] = "\n".join(_unpacked(value) for row in rows for value in row)
    return read


def _unpacked(value: Any) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:
        return zlib.decompress(value).decode("utf-8", "replace")
    except zlib.error:
        return value.decode("latin-1")


@contextmanager
def asking(store: str) -> Iterator[Callable[[str], str]]:
    client = Client(dashboard(store))

    def ask(question: str) -> str:
        answer = client.get(f"/api/v1/{question}", environ_base={"REMOTE_ADDR": "127.0.0.1"})
        assert answer.status_code in {200, 400, 404}, (question, answer.text)
        data = answer.get_data()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("latin-1")

    yield ask


def answers(store: str) -> Evidence:
    found: Evidence = {}
    with asking(store) as ask:
        for page in (
            "overview",
            "endpoints",
            "traces",
            "queries",
            "errors",
            "health",
            "memory",
            "arms",
            "live",
        ):
            found[page] = ask(f"{page}?range=15m")
        for endpoint in json.loads(found["endpoints"])["endpoints"]:
            name = f"name={quote(endpoint['name'])}&kind={endpoint['kind']}&range=15m"
            found[f"endpoint {endpoint['name']}"] = ask(f"endpoint?{name}")
        for query in json.loads(found["queries"])["queries"]:
            found[f"query {query['id']}"] = ask(f"query?id={query['id']}&range=15m")
        for form in EXPORTERS:
            found[f"profile {form}"] = ask(f"profile?format={form}&range=15m")
        for trace in json.loads(ask("traces?range=15m&limit=1000"))["traces"]:
            found[f"trace {trace['id']}"] = ask(f"trace?id={trace['id']}")
            for form, row in EXPORTERS.items():
                if "record" in row.takes:
                    found[f"export {form} {trace['id']}"] = ask(f"profile?id={trace['id']}&format={form}")
        found["no such"] = ask("trace?id=1")
    return found


def _by_grpc(store: str, secret: str) -> tuple[bytes, str]:
    """All bytes that a collector gets by gRPC, and what is said of it; the secret is the key to the collector."""
    taken: list[bytes] = []

    class Collector(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda body, _: taken.append(body) or b"")

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Collector()])
    to = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        key = ("--header", f"X-Key={secret}")
        said = run(
            "ship", "--to", to, "--protocol", "grpc", *key, "--once", "--range", "1h", "--store", store
        )
    finally:
        server.stop(None).wait()
    assert taken, said
    return b"".join(taken), said


def told(store: str, secret: str) -> Evidence:
    taken: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        to = f"http://127.0.0.1:{server.server_port}/v1/traces"
        said = run("ship", "--to", to, "--once", "--range", "1h", "--store", store)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert taken, said
    spoken, said_of_grpc = _by_grpc(store, secret)
    settings = {"APM_AGENT_DASHBOARD_TOKEN": secret, "APM_AGENT_CPROFILE_HEADER": secret}
    return {
        "ship": said,
        "shipped": b"".join(taken).decode("latin-1"),
        "ship by gRPC": said_of_grpc,
        "shipped by gRPC": spoken.decode("latin-1"),
        "doctor": run("doctor", "--store", store, **settings),
        "doctor --json": run("doctor", "--store", store, "--json", **settings),
    }
