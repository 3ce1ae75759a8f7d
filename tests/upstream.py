"""A real HTTP server on this machine that answers, redirects, hangs, and tells which headers it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Upstream(BaseHTTPRequestHandler):
    """``/redirect?to=URL``, ``/missing``, ``/hang``; anything else answers with the request's headers as JSON."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    over = threading.Event()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/hang":
            self.over.wait(10)
            self.close_connection = True
            return
        body = b"" if path == "/redirect" else json.dumps(self.headers.items()).encode()
        self.send_response({"/redirect": 302, "/missing": 404}.get(path, 200))
        if path == "/redirect":
            self.send_header("Location", query["to"][0])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def upstream() -> Iterator[int]:
    """The server for the length of a block; gives its port, on 127.0.0.1, which is also called localhost."""
    Upstream.over.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        Upstream.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def sent(body: bytes | str) -> list[str]:
    """Every `traceparent` the server got."""
    return [value for name, value in json.loads(body) if name.lower() == "traceparent"]
