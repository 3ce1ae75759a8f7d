"""Serves what the dashboard's build wrote: pages and hashed assets, from one flat folder."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import threading
from pathlib import Path
from typing import NamedTuple

from werkzeug.wrappers import Request, Response

from apm_agent.web.headers import IMMUTABLE, NO_STORE

FOLDER = Path(__file__).parent / "static"

#: Our own: Windows' registry maps .js to text/plain, and a browser then refuses it.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,150}\Z")
_HASHED = re.compile(r"-[A-Za-z0-9]{8}\.[a-z0-9]+\Z")
_SQUEEZED = (".css", ".html", ".js", ".json", ".svg")


class _Asset(NamedTuple):
    stamp: tuple[int, int]
    data: bytes
    squeezed: bytes | None
    tag: str


class Static:
    """Reads each file once and again when it changes (`npm run watch`)."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._assets: dict[str, _Asset] = {}
        self._lock = threading.Lock()

    def pages(self) -> set[str]:
        """The pages there are, by name; none before the build."""
        try:
            return {
                name[:-5] for name in os.listdir(self._folder) if name.endswith(".html") and _NAME.match(name)
            }
        except OSError:
            return set()

    def asset(self, request: Request, name: str) -> Response | None:
        """One file; None where there is none of that name. Pages are not assets."""
        ending = os.path.splitext(name)[1]
        if not _NAME.match(name) or ending not in CONTENT_TYPES or ending == ".html":
            return None
        return self._answer(request, name, IMMUTABLE if _HASHED.search(name) else NO_STORE)

    def page(self, request: Request, name: str) -> Response | None:
        """One page; None where there is none of that name."""
        return self._answer(request, f"{name}.html", NO_STORE) if _NAME.match(name) else None

    def _answer(self, request: Request, name: str, keep: str) -> Response | None:
        asset = self._load(name)
        if asset is None:
            return None
        squeezed = asset.squeezed is not None and request.accept_encodings["gzip"] > 0
        response = Response(
            asset.squeezed if squeezed and asset.squeezed is not None else asset.data,
            content_type=CONTENT_TYPES[os.path.splitext(name)[1]],
        )
        response.headers["Cache-Control"] = keep
        response.set_etag(asset.tag + ("-gzip" if squeezed else ""))
        if asset.squeezed is not None:
            response.headers["Vary"] = "Accept-Encoding"
        if squeezed:
            response.headers["Content-Encoding"] = "gzip"
        return response.make_conditional(request.environ)

    def _load(self, name: str) -> _Asset | None:
        path = self._folder / name
        try:
            about = path.stat()
            stamp = (about.st_mtime_ns, about.st_size)
            known = self._assets.get(name)
            if known is not None and known.stamp == stamp:
                return known
            data = path.read_bytes()
        except OSError:
            return None
        squeezed = gzip.compress(data, 6, mtime=0) if name.endswith(_SQUEEZED) and len(data) > 500 else None
        asset = _Asset(stamp, data, squeezed, hashlib.sha256(data).hexdigest()[:20])
        with self._lock:
            self._assets[name] = asset
        return asset
