"""The ways a dashboard is reached, each with real servers: alone, in three frameworks, behind proxies."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from servers import EXAMPLES, PYTHON, environment, free_port, running, script, uvicorn

TOKEN = "a-token-of-the-tests"
OUTER = "/outer/apm"


def dashboard_command(store: str, port: int, *options: str) -> list[str]:
    """`apm-agent dashboard` of a store."""
    return [
        PYTHON, "-m", "apm_agent", "dashboard", "--store", store, "--port", str(port), "--no-browser", *options
    ]  # fmt: skip


def _settings(store: str, folder: Path, **more: str) -> dict[str, str]:
    return environment(EXAMPLE_DATA=str(folder), APM_AGENT_STORE=store, **more)


def _gunicorn(app: str, port: int) -> list[str]:
    """One worker, so that whoever looks meets the same one."""
    return [
        script("gunicorn"), "--worker-class", "gthread", "--threads", "8", "--bind", f"127.0.0.1:{port}", app,
    ]  # fmt: skip


@contextmanager
def alone(store: str, folder: Path) -> Iterator[str]:
    """`apm-agent dashboard`: at the root of its own server."""
    port = free_port()
    with running(dashboard_command(store, port), port=port) as program:
        yield f"{program.url}/"


@contextmanager
def flask(store: str, folder: Path) -> Iterator[str]:
    """The example shop: a WSGI application under `dashboard_path`."""
    port = free_port()
    env = _settings(store, folder, APM_AGENT_DASHBOARD_PATH="/apm", APM_AGENT_SERVICE="shop")
    with running(_gunicorn("shop:app", port), port=port, env=env, cwd=EXAMPLES) as program:
        yield f"{program.url}/apm/"


@contextmanager
def fastapi(store: str, folder: Path) -> Iterator[str]:
    """The example feed: an ASGI application under a `dashboard_path` of two parts."""
    port = free_port()
    env = _settings(store, folder, APM_AGENT_DASHBOARD_PATH="/tools/apm", APM_AGENT_SERVICE="feed")
    with running(uvicorn("feed:app", port), port=port, env=env, cwd=EXAMPLES) as program:
        yield f"{program.url}/tools/apm/"


@contextmanager
def django(store: str, folder: Path) -> Iterator[str]:
    """The example notebook: `include()` in the project's URLs."""
    port = free_port()
    env = _settings(store, folder, APM_AGENT_SERVICE="notes")
    with running(_gunicorn("notes.wsgi", port), port=port, env=env, cwd=EXAMPLES) as program:
        yield f"{program.url}/apm/"


@contextmanager
def proxied(store: str, folder: Path) -> Iterator[str]:
    """Behind a proxy that strips a prefix and says for whom it asks; whoever comes needs the token."""
    port = free_port()
    with (
        running(dashboard_command(store, port, "--token", TOKEN), port=port),
        stripping(OUTER, port) as proxy,
    ):
        yield f"{proxy}{OUTER}/"


@contextmanager
def rooted(store: str, folder: Path) -> Iterator[str]:
    """FastAPI under a `root_path`, behind the proxy that strips it."""
    port = free_port()
    env = _settings(
        store,
        folder,
        APM_AGENT_DASHBOARD_PATH="/apm",
        APM_AGENT_SERVICE="feed",
        APM_AGENT_DASHBOARD_TOKEN=TOKEN,
    )
    command = uvicorn("feed:app", port, "--root-path", "/outer")
    with running(command, port=port, env=env, cwd=EXAMPLES), stripping("/outer", port) as proxy:
        yield f"{proxy}/outer/apm/"


#: name → how to start it; whoever comes to those of `WITH_TOKEN` shows the token first.
MOUNTS: dict[str, Callable[[str, Path], AbstractContextManager[str]]] = {
    "alone": alone, "flask": flask, "fastapi": fastapi, "django": django, "proxied": proxied, "rooted": rooted,
}  # fmt: skip
WITH_TOKEN = ("proxied", "rooted")


@contextmanager
def stripping(prefix: str, port: int) -> Iterator[str]:
    """A proxy on a port of its own that passes on what is below `prefix`, without it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            headers["X-Forwarded-For"] = self.client_address[0]
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with closing(upstream):
                upstream.request(self.command, self.path.removeprefix(prefix), sent or None, headers)
                answer = upstream.getresponse()
                body = answer.read()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            with suppress(ConnectionError):  # a browser goes to the next page without waiting for this one
                self.end_headers()
                self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
