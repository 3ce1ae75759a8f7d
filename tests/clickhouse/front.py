"""The current ClickHouse engine (chdb) behind its own HTTP protocol, as a program: ``front.py FOLDER PORT``.

chdb is the engine as a library and opens no port. This answers what clickhouse-connect asks a server over HTTP: a ping,
statements as text with the answer in the format they name, and inserts whose rows follow the statement. One statement
at a time, and no users.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import lz4.frame
from chdb import session


def _lz4(data: bytes) -> bytes:
    """One frame after the other, as many blocks as the client sent."""
    found = []
    while data:
        frame = lz4.frame.LZ4FrameDecompressor()
        found.append(frame.decompress(data))
        data = frame.unused_data or b""
    return b"".join(found)


_UNPACK: dict[str, Any] = {"lz4": _lz4, "gzip": lambda data: zlib.decompress(data, 31)}


class Front(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    #: Head and body leave together: apart, the client's kernel may wait 40 ms before it acknowledges the head.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    engine: session.Session
    lock = threading.Lock()

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/ping":
            self._answer(200, b"Ok.\n")
        else:
            self._run(b"")

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._run(body)

    def _run(self, body: bytes) -> None:
        asked = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        packed = self.headers.get("Content-Encoding")
        # A packed insert has its statement in the address, and only its rows are packed.
        data = _UNPACK[packed](body) if packed else body
        statement = asked.get("query", "").encode()
        if not statement:
            head, _, rest = data.partition(b"\n")
            inserts = data.lstrip()[:11].upper() == b"INSERT INTO"
            statement, data = (head, rest) if inserts else (data, b"")
        try:
            with self.lock:
                found = self._ask(statement.decode(), data, asked.get("database"))
        except Exception as error:
            self._answer(500, str(error).encode())
        else:
            self._answer(200, found)

    def _ask(self, statement: str, data: bytes, database: str | None) -> bytes:
        if database:
            self.engine.query(f"USE {database}")
        if not data:
            found: bytes = self.engine.query(statement, "TabSeparated").bytes()
            return found or b""
        into, _, form = statement.rpartition(" FORMAT ")
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            self.engine.query(f"{into} FROM INFILE '{file.name}' FORMAT {form}")
        return b""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    folder, port = sys.argv[1:]
    Front.engine = session.Session(folder)
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Front)
    server.daemon_threads = True
    try:
        server.serve_forever()
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
