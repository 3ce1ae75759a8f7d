"""A dashboard behind a real socket, and requests whose every byte is ours."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from werkzeug.serving import make_server

from apm_agent.web.server import _Quiet


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Server(NamedTuple):
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def get(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET", host: str | None = None
    ) -> Answer:
        """One request; `host` is what the Host header says (None: the address, "": no header at all)."""
        client = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            client.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if host != "":
                client.putheader("Host", f"{self.host}:{self.port}" if host is None else host)
            for name, value in (headers or {}).items():
                client.putheader(name, value)
            client.endheaders()
            response = client.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            client.close()


@contextmanager
def served(app: Callable[..., Any], host: str = "127.0.0.1") -> Iterator[Server]:
    """The app in werkzeug's threaded server on a free port."""
    server = make_server(host, 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Server(host, server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
