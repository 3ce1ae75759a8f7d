"""Pages and assets under every mount: alone, below a prefix, behind a proxy that strips one, in ASGI."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from apm_agent.errors import ConfigError
from apm_agent.web.app import Dashboard, dashboard
from apm_agent.web.asgi import dashboard_asgi
from apm_agent.web.server import serve
from apm_agent.web.static import CONTENT_TYPES, Static
from running import Server, served

SHELL = (
    '<!doctype html><link rel="stylesheet" href="static/style-ABCDEFGH.css">'
    '<script src="static/app-12345678.js"></script>'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a build writes."""
    built = tmp_path / "static"
    built.mkdir()
    for page in ("overview", "endpoints", "endpoint"):
        (built / f"{page}.html").write_text(SHELL)
    (built / "app-12345678.js").write_text("export const x = 1;\n" * 100)
    (built / "style-ABCDEFGH.css").write_text("body { color: red }")
    (built / "inter-latin-AAAA1111.woff2").write_bytes(b"wOF2")
    (built / "manifest.json").write_text("{}")
    (built / ".hidden.js").write_text("secret")
    (built / "notes.xyz").write_text("secret")
    (tmp_path / "secret.js").write_text("secret")
    return built


@pytest.fixture
def app(url: str, folder: Path) -> Dashboard:
    made = dashboard(url, open_to_all=True)
    made.static = Static(folder)
    return made


def walk(get: Any, root: str) -> None:
    """From the mount's root as a browser goes: by its redirect, to the assets its page names, to the API."""
    first = get(root)
    assert first.status_code == 302
    page_url = urljoin(root, first.headers["Location"])
    page = get(page_url)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for target in re.findall(r'(?:href|src)="([^"]+)"', page.text):
        assert get(urljoin(page_url, target)).status_code == 200, target
    assert get(urljoin(page_url, "api/v1/endpoints?range=24h")).status_code == 200
    assert get(urljoin(page_url, "endpoint?name=GET%20/orders&range=6h")).status_code == 200


def test_alone(app: Dashboard) -> None:
    walk(Client(app).get, "/")


def test_below_a_prefix(app: Dashboard) -> None:
    host = DispatcherMiddleware(Response("the app"), {"/tools/apm": app})
    client = Client(host)
    walk(client.get, "/tools/apm/")
    without_slash = client.get("/tools/apm?range=6h")
    assert without_slash.status_code == 302
    assert urljoin("/tools/apm", without_slash.headers["Location"]) == "/tools/apm/?range=6h"


def test_behind_a_proxy_that_strips_a_prefix(app: Dashboard) -> None:
    """The prefix is gone before we see the request, and no header tells of it."""
    client = Client(app)

    def through(path: str) -> Any:
        assert path.startswith("/outer/apm/")
        return client.get(path.removeprefix("/outer/apm"))

    walk(through, "/outer/apm/")


def test_behind_a_proxy_in_front_of_a_mount(app: Dashboard) -> None:
    client = Client(DispatcherMiddleware(Response("the app"), {"/apm": app}))
    walk(lambda path: client.get(path.removeprefix("/outer")), "/outer/apm/")


def visitor(app: Any, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(peer, 9)), base_url="http://localhost"
    )


async def test_in_starlette(url: str) -> None:
    site = Starlette(
        routes=[Mount("/tools", routes=[Mount("/apm", app=dashboard_asgi(url, open_to_all=True))])]
    )
    async with visitor(site) as client:
        answer = await client.get("/tools/apm/api/v1/endpoints?range=24h")
        assert answer.status_code == 200
        assert answer.json()["endpoints"]
        assert (await client.get("/tools/apm/")).headers["location"] == "overview"
        assert (await client.get("/tools/apm/nothing")).status_code in (404, 503)


async def test_r39_raw_bytes_in_an_asgi_query(url: str) -> None:
    app = dashboard_asgi(url, open_to_all=True)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/traces",
        "query_string": b"q=\xff\xfe%00&range=1h", "headers": [],
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9),
        "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    assert sent[0]["status"] == 200


async def test_r38_the_door_is_the_same_in_asgi(url: str) -> None:
    app = dashboard_asgi(url)
    async with visitor(app) as client:
        assert (await client.get("/api/v1/health")).status_code == 200
        assert (await client.get("/api/v1/health", headers={"X-Forwarded-For": "1.2.3.4"})).status_code == 403
        assert (await client.get("/api/v1/health", headers={"Host": "evil.example"})).status_code == 403
    async with visitor(app, "203.0.113.9") as client:
        assert (await client.get("/api/v1/health")).status_code == 403


def test_assets_keep_and_pages_do_not(app: Dashboard) -> None:
    client = Client(app)
    script = client.get("/static/app-12345678.js")
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["Cache-Control"]
    assert (
        client.get("/static/app-12345678.js", headers={"If-None-Match": script.headers["ETag"]}).status_code
        == 304
    )
    assert client.get("/static/manifest.json").headers["Cache-Control"] == "no-store"
    assert client.get("/endpoints").headers["Cache-Control"] == "no-store"
    assert client.get("/static/inter-latin-AAAA1111.woff2").headers["Content-Type"] == "font/woff2"
    squeezed = client.get("/static/app-12345678.js", headers={"Accept-Encoding": "gzip"})
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert squeezed.headers["ETag"] != script.headers["ETag"]
    assert len(squeezed.data) < len(script.data)


def test_every_answer_carries_the_policy(app: Dashboard) -> None:
    client = Client(app)
    for path in (
        "/",
        "/endpoints",
        "/nothing",
        "/static/app-12345678.js",
        "/static/no.js",
        "/api/v1/health",
        "/api/v1/x",
    ):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'"), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in headers


@pytest.mark.parametrize(
    "name",
    [
        "../secret.js", "..%2fsecret.js", "%2e%2e/secret.js", "....//secret.js", ".hidden.js", "notes.xyz",
        "", ".",
        "/etc/passwd", "endpoints.html", "static/app-12345678.js", "app-12345678.js/",
        "app-12345678.js%00", "\\secret.js",
    ],
)  # fmt: skip
def test_r39_nothing_but_the_builds_files_is_served(app: Dashboard, name: str) -> None:
    answer = Client(app).get(f"/static/{name}")
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.js", "")


def test_a_page_there_is_not(app: Dashboard) -> None:
    answer = Client(app).get("/<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_a_missing_build_is_said_with_its_cure(url: str, tmp_path: Path) -> None:
    app = dashboard(url, open_to_all=True)
    app.static = Static(tmp_path / "none")
    answer = Client(app).get("/endpoints")
    assert answer.status_code == 503
    assert "npm run build" in answer.text
    assert Client(app).get("/api/v1/health").status_code == 200


def test_content_types_are_our_own() -> None:
    assert CONTENT_TYPES[".js"].startswith("text/javascript")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_the_own_server(url: str, listener: socket.socket, capfd: pytest.CaptureFixture[str]) -> None:
    started: list[Any] = []
    up = threading.Event()

    def ready(server: Any) -> None:
        started.append(server)
        up.set()

    thread = threading.Thread(target=serve, args=(url, listener), kwargs={"ready": ready})
    thread.start()
    assert up.wait(10)
    server = Server("127.0.0.1", listener.getsockname()[1])
    assert server.get("/api/v1/health").status == 200
    assert server.get("/api/v1/health", host="evil.example").status == 403
    started[0].shutdown()
    thread.join(10)
    assert not thread.is_alive()
    assert capfd.readouterr() == ("", "")


def test_r38_the_own_server_lets_nobody_in_from_elsewhere_without_a_token(url: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listening, pytest.raises(ConfigError, match="token"):
        serve(url, listening)


def test_requests_are_answered_at_the_same_time(url: str) -> None:
    app = dashboard(url)
    with served(app) as server:
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(server.get("/api/v1/overview?range=24h").status))
            for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200] * 12


def test_a_rule_sees_the_request(url: str) -> None:
    seen: list[Request] = []

    def rule(request: Request) -> bool:
        seen.append(request)
        return request.headers.get("X-Staff") == "yes"

    client = Client(dashboard(url, authorize=rule))
    assert (
        client.get("/api/v1/health", headers={"X-Staff": "yes"}, base_url="http://x.example").status_code
        == 200
    )
    assert client.get("/api/v1/health", base_url="http://x.example").status_code == 403
    assert seen[0].path == "/api/v1/health"
