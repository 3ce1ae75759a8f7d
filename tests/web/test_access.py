"""Who may look: over real sockets, through a pretended proxy, from another address, with a foreign name."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.errors import ConfigError
from apm_agent.web.app import dashboard
from running import Answer, Server, served

TOKEN = "a-long-random-token-0123456789"
PAGE, API = "/", "/api/v1/endpoints"


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    with served(dashboard(url)) as running:
        yield running


@pytest.fixture
def locked(url: str) -> Iterator[Server]:
    with served(dashboard(url, token=TOKEN)) as running:
        yield running


def refused(answer: Answer, day: Path) -> bool:
    """403, and a page that tells how to open it and nothing else."""
    text = answer.body.decode()
    assert answer.status == 403
    assert "shop" not in text.replace("workshop", "")
    assert str(day) not in text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    return True


def test_r38_this_machine_may_look(server: Server) -> None:
    assert server.get(API).status == 200
    for name in ("localhost", "localhost:80", "LOCALHOST", "127.0.0.1", "[::1]:8080", "localhost."):
        assert server.get(API, host=name).status == 200, name


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "Forwarded",
        "X-Real-IP",
        "Via", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "X-Original-URI",
        "X-Envoy-External-Address",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["127.0.0.1", "203.0.113.9", ""])
def test_r38_whatever_a_proxy_passed_on_is_refused(
    server: Server, day: Path, header: str, value: str
) -> None:
    assert refused(server.get(PAGE, {header: value}), day)
    assert refused(server.get(API, {header: value}), day)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.2",
        "0.0.0.0", "",
        "localhost@evil.example", "[::1].evil.example", "localhost, evil.example", "localhost:80:80",
        "2130706433",
    ],
)  # fmt: skip
def test_r38_a_foreign_host_name_is_refused(server: Server, day: Path, host: str) -> None:
    assert refused(server.get(PAGE, host=host), day)


def test_r38_a_proxy_that_says_nothing_speaks_http_1_0(server: Server) -> None:
    with socket.create_connection((server.host, server.port), timeout=10) as raw:
        raw.sendall(b"GET /api/v1/endpoints HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert b" 403 " in answer.split(b"\r\n", 1)[0]


def test_r38_a_peer_from_elsewhere_is_refused(url: str, day: Path) -> None:
    with served(dashboard(url), host="0.0.0.0") as server:
        assert Server("127.0.0.1", server.port).get(API).status == 200
        own = _own_address()
        if own is None:
            pytest.skip("this machine has no address beside loopback")
        there = Server(own, server.port)
        assert refused(there.get(PAGE, host="localhost"), day)
        assert refused(there.get(API, host="127.0.0.1"), day)
        assert refused(there.get(API, {"X-Forwarded-For": "127.0.0.1"}, host="localhost"), day)


@pytest.mark.parametrize(
    "peer", ["", "unix:", "203.0.113.9", "::ffff:203.0.113.9", "fe80::1%eth0", "127.0.0.1.evil"]
)
def test_r38_peers_that_are_not_loopback(url: str, peer: str) -> None:
    app = dashboard(url)

    def seen_from(environ: dict[str, Any], start_response: Any) -> Any:
        return app(environ | {"REMOTE_ADDR": peer}, start_response)

    with served(seen_from) as server:
        assert server.get(API).status == 403


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_r38_peers_that_are_loopback(url: str, peer: str) -> None:
    app = dashboard(url)

    def seen_from(environ: dict[str, Any], start_response: Any) -> Any:
        return app(environ | {"REMOTE_ADDR": peer}, start_response)

    with served(seen_from) as server:
        assert server.get(API).status == 200


def test_other_names_of_this_machine_can_be_allowed(url: str) -> None:
    with served(dashboard(url, allowed_hosts=["Dev.Example"])) as server:
        assert server.get(API, host="dev.example:8000").status == 200
        assert server.get(API, host="evil.example").status == 403


def test_r38_with_a_token_this_machine_is_not_enough(locked: Server, day: Path) -> None:
    assert refused(locked.get(PAGE), day)
    assert refused(locked.get(API), day)
    for wrong in ("", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é"):
        answer = locked.get(API, {"Authorization": f"Bearer {wrong}".encode().decode("latin-1")})
        assert answer.status == 403, wrong
        assert "www-authenticate" not in answer.headers


def test_a_token_in_a_header_opens_from_anywhere(locked: Server) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "203.0.113.9"}
    assert locked.get(API, headers, host="apm.example").status == 200


def test_a_token_in_the_address_becomes_a_cookie(locked: Server) -> None:
    first = locked.get(f"/endpoint?token={TOKEN}&name=GET%20/orders&range=6h", host="apm.example")
    assert first.status == 302
    assert first.headers["location"] == "endpoint?name=GET+%2Forders&range=6h"
    assert first.headers["cache-control"] == "no-store"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=" not in cookie, "without one the browser takes the folder: the mount as it sees it"
    assert TOKEN not in cookie
    value = cookie.partition(";")[0]
    assert locked.get(API, {"Cookie": value}, host="apm.example").status == 200
    assert locked.get(API, {"Cookie": value + "x"}).status == 403
    assert locked.get(f"/?token={TOKEN}").headers["location"] == "overview"


def test_a_wrong_token_in_the_address_sets_nothing(locked: Server) -> None:
    answer = locked.get("/?token=wrong")
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_a_rule_lets_in_whom_it_answers_true_for(url: str, day: Path) -> None:
    def rule(request: Any) -> object:
        return {"yes": True, "object": object(), "no": False, "none": None}[request.headers["X-Who"]]

    with served(dashboard(url, authorize=rule)) as server:
        away = {"X-Forwarded-For": "203.0.113.9"}
        assert server.get(API, {**away, "X-Who": "yes"}, host="apm.example").status == 200
        for who in ("object", "no", "none"):
            assert refused(server.get(PAGE, {**away, "X-Who": who}), day)


def test_a_rule_that_fails_lets_nobody_in(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with served(dashboard(url, authorize=lambda request: 1 / 0)) as server:  # type: ignore[arg-type]
        assert server.get(API, host="apm.example").status == 403
    assert "asking whether a request may see the dashboard" in caplog.text


def test_a_rule_may_be_named(url: str) -> None:
    with served(dashboard(url, authorize="rules:everybody")) as server:
        assert server.get(API, host="apm.example").status == 200
    with served(dashboard(url, authorize="rules:missing")) as server:
        assert server.get(API, host="apm.example").status == 403
    with pytest.raises(ConfigError, match="module:function"):
        dashboard(url, authorize="rules")


def test_r40_nothing_but_reading(server: Server) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        for path in (PAGE, API, "/static/x.js", "/endpoints"):
            answer = server.get(path, {"Content-Length": "0"}, method)
            assert answer.status == 405, (method, path)
            assert answer.headers["allow"] == "GET, HEAD"
    assert server.get(API, method="HEAD").status == 200


def _own_address() -> str | None:
    """This machine's address on its own network; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            address = ""
    if not address or address.startswith("127."):
        try:
            address = socket.gethostbyname(socket.gethostname())
        except OSError:
            return None
    return None if address.startswith("127.") else address
