"""A responder that speaks MongoDB's wire protocol (OP_MSG) to the real clients: there is no server to install here.

It keeps documents in lists, finds by equal fields, and answers what the tests ask; it is no database.
"""

from __future__ import annotations

import itertools
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson

_HEADER = struct.Struct("<iiii")
_OP_QUERY, _OP_REPLY, _OP_MSG = 2004, 1, 2013


@contextmanager
def responder() -> Iterator[int]:
    """A responder of its own data; gives its port."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.collections: dict[str, list[dict[str, Any]]] = {}
        self.cursors: dict[int, list[dict[str, Any]]] = {}
        self.numbers = itertools.count(1)
        #: The command ``sleep`` waits for this, ``wake`` sets it.
        self.wake = threading.Event()


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        while True:
            head = self._read(_HEADER.size)
            if not head:
                return
            length, request, _, code = _HEADER.unpack(head)
            body = self._read(length - _HEADER.size)
            if code == _OP_QUERY:  # the first hello of a connection
                answer = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(self._hello())
                self._send(_OP_REPLY, request, answer)
            elif code == _OP_MSG:
                self._send(
                    _OP_MSG, request, struct.pack("<iB", 0, 0) + bson.encode(self._answer(_command(body)))
                )

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            try:
                more = self.request.recv(length - len(data))
            except OSError:
                return b""
            if not more:
                return b""
            data += more
        return data

    def _send(self, code: int, request: int, body: bytes) -> None:
        try:
            self.request.sendall(_HEADER.pack(_HEADER.size + len(body), 1, request, code) + body)
        except OSError:
            pass  # the client left

    def _hello(self) -> dict[str, Any]:
        return {
            "ok": 1, "isWritablePrimary": True, "helloOk": True, "maxBsonObjectSize": 16_777_216,
            "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000, "minWireVersion": 0,
            "maxWireVersion": 21, "logicalSessionTimeoutMinutes": 30, "readOnly": False, "connectionId": 1,
        }  # fmt: skip

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        name = next(iter(command))
        documents = self.server.collections.setdefault(str(command[name]), [])
        matching = [d for d in documents if all(d.get(k) == v for k, v in _filter(command).items())]
        if name in ("hello", "isMaster", "ismaster"):
            return self._hello()
        if name == "insert":
            documents.extend(command["documents"])
            return {"ok": 1, "n": len(command["documents"])}
        if name in ("find", "aggregate"):
            return self._cursor(
                f"shop.{command[name]}", matching, command.get("batchSize", 101), "firstBatch"
            )
        if name == "getMore":
            left = self.server.cursors.pop(command["getMore"])
            return self._cursor(
                f"shop.{command['collection']}", left, command.get("batchSize", 101), "nextBatch"
            )
        if name == "delete":
            for document in matching:
                documents.remove(document)
            return {"ok": 1, "n": len(matching)}
        if name == "sleep":
            self.server.wake.wait(10)
            self.server.wake.clear()
        if name == "wake":
            self.server.wake.set()
        if name == "fail":
            return {"ok": 0, "errmsg": "canary: no such command", "code": 59, "codeName": "CommandNotFound"}
        return {"ok": 1}

    def _cursor(self, namespace: str, documents: list[Any], size: int, batch: str) -> dict[str, Any]:
        number = next(self.server.numbers) if len(documents) > size else 0
        if number:
            self.server.cursors[number] = documents[size:]
        return {"ok": 1, "cursor": {"id": bson.Int64(number), "ns": namespace, batch: documents[:size]}}


def _filter(command: dict[str, Any]) -> dict[str, Any]:
    deletes = command.get("deletes")
    found: dict[str, Any] = deletes[0]["q"] if deletes else command.get("filter", {})
    return found


def _command(body: bytes) -> dict[str, Any]:
    """The document of an OP_MSG, its sequences put back where they belong."""
    command: dict[str, Any] = {}
    sequences: dict[str, list[Any]] = {}
    position = 4
    while position < len(body):
        kind, position = body[position], position + 1
        (size,) = struct.unpack_from("<i", body, position)
        part = body[position : position + size]
        position += size
        if kind == 0:
            command.update(bson.decode(part))
        else:
            name, _, documents = part[4:].partition(b"\0")
            sequences[name.decode()] = bson.decode_all(documents)
    return {**command, **sequences}
