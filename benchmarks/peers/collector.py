"""What the peers send to: a server on the loopback that takes all that comes, says thanks and counts its bytes."""

from __future__ import annotations

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Collector:
    """HTTP for those that speak it, and the length-prefixed JSON of Scout's core agent."""

    def __init__(self) -> None:
        self.bytes = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _take(self) -> None:
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        collector.bytes += size
                        self.rfile.read(size + 2)
                    self.rfile.readline()
                else:
                    size = int(self.headers.get("Content-Length") or 0)
                    self.rfile.read(size)
                    if self.command != "GET":
                        collector.bytes += size
                body = b"{}"
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_HEAD = _take

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._core = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._http.server_port
        self.core_port: int = self._core.getsockname()[1]
        for work in (self._http.serve_forever, self._accept):
            threading.Thread(target=work, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._core.accept()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        stream = connection.makefile("rwb")
        answer = json.dumps({"Result": "Success"}).encode()
        while head := stream.read(4):
            (size,) = struct.unpack(">I", head)
            stream.read(size)
            self.bytes += size
            stream.write(struct.pack(">I", len(answer)) + answer)
            stream.flush()
