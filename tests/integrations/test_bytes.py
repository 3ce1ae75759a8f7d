"""Real servers, raw sockets: every byte is the same with and without us, and every request is one record."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from servers import ROOT, environment, free_port, gunicorn, running, script, uvicorn

SITES = Path(__file__).parent / "sites"

Request = tuple[str, str, bytes, str]


def get(*paths: str) -> list[Request]:
    return [("GET", path, b"", "") for path in paths]


WSGI = [
    *get(
        "/list", "/generator", "/length", "/write", "/file", "/caught", "/late", "/fail", "/middle", "/empty"
    ),
    *get("/cookies", "/other", "/%00%1b/caf%C3%A9?secret=1"),
    ("HEAD", "/list", b"", ""),
    ("HEAD", "/generator", b"", ""),
    ("POST", "/upload", b"x" * 300_000, ""),
    ("BREW", "/list", b"", ""),
]
FLASK = [
    *get("/plain/", "/plain", "/stream", "/file", "/fail", "/away", "/none"),
    ("GET", "/plain/", b"", 'If-None-Match: "bd1f2c1dc3ac7c0ff9a40b2b4dc5b7d5d0b6f2e9", *\r\n'),
    ("HEAD", "/plain/", b"", ""),
    ("POST", "/plain/", b"a=1", ""),
    ("GET", "/file", b"", "Range: bytes=0-9\r\n"),
]
DJANGO = [
    *get("/", "/notes/7/", "/notes/7", "/fail", "/missing", "/none", "/stream", "/file", "/cookies", "/page"),
    *get("/untouched", "/articles/2024/page-2/"),
    ("HEAD", "/notes/7/", b"", ""),
    ("OPTIONS", "/page", b"", ""),
    ("GET", "/", b"", "Cookie: sessionid=nonsense\r\n"),
]
STARLETTE = [
    *get("/headers", "/headers/", "/stream", "/file", "/fail", "/away", "/below/x", "/below/x/y", "/none"),
    ("POST", "/echo", b"x" * 300_000, ""),
    ("GET", "/echo", b"", ""),
    ("HEAD", "/headers", b"", ""),
]
FASTAPI = [*get("/items/7", "/items/x", "/fail", "/none"), ("POST", "/items/7", b"{}", "")]
ASGI = get("/plain", "/silent", "/fail", "/middle")

CASES = {
    "wsgi-gunicorn": ("kitchen:wsgi", gunicorn, WSGI),
    "wsgi-gunicorn-sync": ("kitchen:wsgi", None, WSGI),
    "flask-gunicorn": ("kitchen:flasks", gunicorn, FLASK),
    "django-gunicorn": ("notes:wsgi", gunicorn, DJANGO),
    "django-uvicorn": ("notes:asgi", uvicorn, [*DJANGO, *get("/stream-async")]),
    "starlette-uvicorn": ("kitchen:starlettes", uvicorn, STARLETTE),
    "fastapi-uvicorn": ("kitchen:fastapis", uvicorn, FASTAPI),
    "asgi-uvicorn": ("kitchen:asgi", uvicorn, ASGI),
}


def ask(port: int, request: Request) -> bytes:
    """The raw answer, without what changes by the second."""
    method, path, body, headers = request
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{headers}"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        connection.sendall(f"{head}{length}\r\n".encode("latin-1") + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return re.sub(rb"(?mi)^date: .*\r\n", b"", answer)


def answers(
    app: str, server: object, requests: Sequence[Request], folder: Path, watched: bool, **more: str
) -> list[bytes]:
    port = free_port()
    sync = [script("gunicorn"), "--bind", f"127.0.0.1:{port}", app]
    command = server(app, port) if callable(server) else sync
    env = environment(
        PYTHONPATH=os.pathsep.join((str(SITES), str(ROOT))), SITE_WATCHED=str(int(watched)),
        SITE_SETTINGS="{}", SITE_SERVER="1", PYTHONHASHSEED="0", **more,
    )  # fmt: skip
    with running(command, port=port, env=env, cwd=folder):
        said = [ask(port, request) for request in requests]
        if watched:
            assert counted(folder / ".apm-agent" / "apm.db", len(requests)) == len(requests)
        return said


#: What a request leaves to be done after it is a transaction of its own.
REQUESTS = """
select count(*) from transactions join endpoints on endpoints.id = transactions.endpoint_id
where endpoints.kind != 'background'
"""


def counted(store: Path, wanted: int) -> int:
    """How many requests a store holds, as soon as it holds enough; workers write once a second."""
    count, deadline = 0, time.monotonic() + 20
    while count < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
        if store.exists():
            with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
                try:
                    [(count,)] = connection.execute(REQUESTS)
                except sqlite3.OperationalError:
                    continue  # the tables are being made
    return count


@pytest.mark.server
@pytest.mark.parametrize("case", CASES)
def test_r29_the_same_bytes_and_one_record_each(case: str, tmp_path: Path) -> None:
    app, server, requests = CASES[case]
    (tmp_path / "bare").mkdir()
    bare = answers(app, server, requests, tmp_path / "bare", watched=False)
    watched = answers(app, server, requests, tmp_path, watched=True)
    assert not (tmp_path / "bare" / ".apm-agent").exists()
    for request, before, after in zip(requests, bare, watched, strict=True):
        assert after == before, request[:2]
        assert before


#: What the setting `developer` adds to a response.
TOLD = re.compile(rb"(?mi)^server-timing: .*\r\n|<script async src=\"/apm/static/badge\.js\" [^>]*></script>")
LENGTH = re.compile(rb"(?mi)^content-length: .*\r\n")


@pytest.mark.server
@pytest.mark.parametrize("case", ["wsgi-gunicorn", "flask-gunicorn", "django-uvicorn", "starlette-uvicorn"])
def test_r29_what_a_developer_is_told_is_added_and_nothing_else(case: str, tmp_path: Path) -> None:
    app, server, requests = CASES[case]
    asked = [
        (method, path, body, f"{headers}Accept: text/html\r\n") for method, path, body, headers in requests
    ]
    (tmp_path / "bare").mkdir()
    bare = answers(app, server, asked, tmp_path / "bare", watched=False)
    told = answers(
        app, server, asked, tmp_path, True, APM_AGENT_DEVELOPER="on", APM_AGENT_DASHBOARD_PATH="/apm"
    )
    for request, before, after in zip(asked, bare, told, strict=True):
        left, kept = TOLD.sub(b"", after), before
        if b"badge.js" in after:
            assert before.count(b"</body>") == 1, request[:2]
            left, kept = LENGTH.sub(b"", left), LENGTH.sub(b"", before)
        assert left == kept, request[:2]
    assert sum(b"erver-" in each and b"app;dur=" in each for each in told) >= len(told) - 2
