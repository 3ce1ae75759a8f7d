"""What a developer is told in responses: on real servers of each kind, and nothing where there is a doubt."""

from __future__ import annotations

import http.client
import json
import os
import re
import runpy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from apm_agent import config
from apm_agent.errors import ConfigError
from apm_agent.integrations import developer
from apm_agent.integrations.developer import Developer
from servers import ROOT, environment, free_port, gunicorn, running, uvicorn

SITES = Path(__file__).parent / "sites"
PAGES = runpy.run_path(str(SITES / "pages.py"))
SERVERS = {
    "wsgi": gunicorn, "flasks": gunicorn, "django_wsgi": gunicorn,
    "starlettes": uvicorn, "fastapis": uvicorn, "django_asgi": uvicorn,
}  # fmt: skip
BADGE = re.compile(
    rb'<script async src="/apm/static/badge\.js" data-apm-agent="([0-9a-f]{16})" data-mount="/apm"'
    rb' data-ms="[0-9.]+" data-queries="3" data-kinds="[^"]*db [0-9.]+ ms[^"]*"></script>'
)
TIMES = re.compile(r'app;dur=[0-9.]+, db;dur=[0-9.]+;desc="3 queries"(, gc;dur=[0-9.]+)?')
ON = {"developer": True, "dashboard_path": "/apm", "flush_interval": 0.05}


class Site:
    """One real server; asks as a browser does that opens a page."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        given = {"Accept": "text/html,*/*", "Sec-Fetch-Dest": "document", **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in given.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@contextmanager
def site(app: str, folder: Path, **settings: Any) -> Iterator[Site]:
    port = free_port()
    names = {name.upper() if app.startswith("django") else name: value for name, value in settings.items()}
    env = environment(
        PYTHONPATH=os.pathsep.join((str(SITES), str(ROOT))), SITE_APP=app, SITE_SETTINGS=json.dumps(names)
    )
    with running(SERVERS[app]("pages:app", port), port=port, env=env, cwd=folder):
        yield Site(port)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Site]]:
    """A site by the name of its application, each started once."""
    known: dict[str, Site] = {}
    with ExitStack() as stack:

        def start(app: str) -> Site:
            if app not in known:
                known[app] = stack.enter_context(site(app, tmp_path_factory.mktemp(app), **ON))
            return known[app]

        yield start


@pytest.mark.server
@pytest.mark.parametrize("app", SERVERS)
def test_a_whole_page_gets_its_times_and_a_badge_that_leads_to_its_trace(
    app: str, started: Callable[[str], Site]
) -> None:
    here = started(app)
    for path in ("/page", "/own-script"):
        status, headers, body = here.ask(path)
        found = BADGE.search(body)
        assert status == 200
        assert found is not None, body
        assert body.replace(found[0], b"") == PAGES["ANSWERS"][path][2]
        assert body.endswith(found[0] + b"</body></html>\n")
        assert headers["content-length"] == str(len(body))
        assert TIMES.fullmatch(headers["server-timing"]), headers
    status, headers, script = here.ask("/apm/static/badge.js")
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert b"apm-agent-badge" in script
    assert "server-timing" not in headers, "what serves the dashboard is not timed"
    answer = here.ask(f"/apm/api/v1/trace?id={found[1].decode()}")
    for _ in range(200):  # it is written within the flush interval
        if answer[0] == 200:
            break
        answer = here.ask(f"/apm/api/v1/trace?id={found[1].decode()}")
    trace = json.loads(answer[2])["trace"]
    assert trace["path"] == "/own-script"
    assert trace["queries"] == 3


@pytest.mark.server
@pytest.mark.parametrize("app", SERVERS)
def test_with_any_doubt_a_body_is_left_alone(app: str, started: Callable[[str], Site]) -> None:
    here = started(app)
    for path in PAGES["LEFT_ALONE"]:
        _, headers, body = here.ask(path)
        assert body == PAGES["ANSWERS"][path][2], path
        assert headers["content-length"] == str(len(body)), path
        assert TIMES.fullmatch(headers["server-timing"]), path
    page = PAGES["PAGE"].encode()
    for asked in (
        {"X-Requested-With": "XMLHttpRequest"}, {"HX-Request": "true"}, {"Sec-Fetch-Dest": "empty"},
        {"Accept": "application/json"}, {"Turbo-Frame": "a"},
    ):  # fmt: skip
        _, headers, body = here.ask("/page", **asked)
        assert body == page, asked
        assert TIMES.fullmatch(headers["server-timing"])
    _, headers, body = here.ask("/page", "HEAD")
    assert body == b""
    assert headers.get("content-length", str(len(page))) == str(len(page))
    if app != "wsgi":
        _, headers, body = here.ask("/stream")
        assert body == f"{PAGES['HEAD']}</body></html>".encode()
        assert headers["server-timing"].startswith("app;dur=")


@pytest.mark.server
@pytest.mark.parametrize("app", ["wsgi", "starlettes", "django_wsgi"])
def test_nobody_is_told_through_a_proxy(app: str, started: Callable[[str], Site]) -> None:
    here = started(app)
    for asked in ({"X-Forwarded-For": "8.8.8.8"}, {"Forwarded": "for=8.8.8.8"}, {"X-Real-IP": "8.8.8.8"}):
        _, headers, body = here.ask("/page", **asked)
        assert body == PAGES["PAGE"].encode()
        assert "server-timing" not in headers


@pytest.mark.server
def test_in_development_everybody_is_told(tmp_path: Path) -> None:
    with site("starlettes", tmp_path, **ON, environment="development") as here:
        assert BADGE.search(here.ask("/page", **{"X-Forwarded-For": "8.8.8.8"})[2])


@pytest.mark.server
def test_without_a_mount_there_are_times_and_no_badge(tmp_path: Path) -> None:
    with site("flasks", tmp_path, developer=True) as here:
        _, headers, body = here.ask("/page")
        assert body == PAGES["PAGE"].encode()
        assert TIMES.fullmatch(headers["server-timing"])


@pytest.mark.server
def test_bodies_that_come_in_other_ways(started: Callable[[str], Site]) -> None:
    here = started("wsgi")
    for path in ("/generator", "/written"):
        _, headers, body = here.ask(path)
        assert body == PAGES["PAGE"].encode(), path
        assert "server-timing" in headers
    status, headers, body = here.ask("/changed-its-mind")
    assert (status, body) == (500, b"sorry")
    assert headers["content-type"] == "text/plain"


def test_production_refuses_it() -> None:
    for name in ("production", "prod", "Live "):
        with pytest.raises(ConfigError, match=r"developer is on, but environment is .* Set developer=off"):
            config.load({"developer": "on", "environment": name}, {})
    assert config.load({"developer": "on", "environment": "staging"}, {}).developer
    assert not config.load({}, {}).developer


def test_who_is_told() -> None:
    careful, trusting = Developer("/apm", False), Developer("/apm", True)
    for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert careful.tells(peer, ["host", "accept"], "HTTP/1.1"), peer
    for peer in ("10.0.0.1", "", "unix", "8.8.8.8"):
        assert not careful.tells(peer, [], "HTTP/1.1"), peer
        assert trusting.tells(peer, ["x-forwarded-for"], "HTTP/1.0"), peer
    assert not careful.tells("127.0.0.1", [], "HTTP/1.0")
    assert not careful.tells("127.0.0.1", ["cf-connecting-ip"], "HTTP/2")


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("default-src 'self'", True), ("img-src *", True), ("script-src 'self' 'nonce-1'", True),
        ("script-src-elem 'none'; script-src 'self'", False), ("default-src 'none'", False),
        ("script-src 'self' 'strict-dynamic'", False), ("sandbox; script-src 'self'", False),
        ("default-src 'self', default-src 'none'", False), ("", True),
    ],
)  # fmt: skip
def test_policies(policy: str, allowed: bool) -> None:
    headers = [
        ("Content-Type", "text/html; charset=UTF-8"), ("content-length", "7"), ("Content-Security-Policy", policy),
    ]  # fmt: skip
    assert (developer.fits(200, headers) == 7) is allowed


def test_two_lengths_or_types_are_a_doubt() -> None:
    kind, length = ("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "7")
    assert developer.fits(200, [kind, length]) == 7
    assert developer.fits(200, [kind, length, ("content-length", "8")]) is None
    assert developer.fits(200, [kind, kind, length]) is None
    assert developer.fits(200, [kind]) is None
    assert developer.fits(200, [kind, ("Content-Length", "-7")]) is None
    assert developer.fits(200, [kind, ("Content-Length", "99999999")]) is None
    for status in (101, 204, 206, 304):
        assert developer.fits(status, [kind, length]) is None
