"""What gunicorn or uvicorn serve: one framework's application, watched by the peer that the environment names."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

FRAMEWORK, PEER = os.environ["BENCH_FRAMEWORK"], os.environ["BENCH_PEER"]
#: Asked at the end: how many requests the peer has kept, or nothing where it sends them.
KEPT = "/kept"


def _application() -> Any:
    peer: ModuleType | None = None
    if PEER != "bare":
        peer = importlib.import_module(f"watch.{PEER}")
        peer.begin()
    import apps

    app = getattr(apps, FRAMEWORK)(peer)
    return _asgi(app, peer) if FRAMEWORK in apps.ASGI else _wsgi(app, peer)


def _count(peer: ModuleType | None) -> bytes:
    if peer is None:
        return b""
    peer.flush()
    kept = getattr(peer, "kept", None)
    return str(kept()).encode() if kept else b""


def _wsgi(app: Any, peer: ModuleType | None) -> Any:
    def outer(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == KEPT:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [_count(peer)]
        return app(environ, start_response)

    return outer


def _asgi(app: Any, peer: ModuleType | None) -> Any:
    async def outer(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == KEPT:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": _count(peer)})
        else:
            await app(scope, receive, send)

    return outer


app = _application()
