"""Who is let in: whatever stands in Host, cookies, token and the proxies' headers, only the right key opens."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from apm_agent.web.access import COOKIE
from apm_agent.web.app import Dashboard, dashboard

TOKEN = "right-key-7f3a"
NOWHERE = "sqlite:////nowhere/at/all/apm.db"
GUARDED, OPEN = dashboard(NOWHERE, token=TOKEN), dashboard(NOWHERE)
OK = (200, 302, 404, 405, 503)

LATIN = st.text(st.characters(max_codepoint=255), max_size=30)
#: Near the right key, and yet not it.
WRONG = st.one_of(
    LATIN,
    st.sampled_from(
        [TOKEN[:-1], TOKEN + "a", TOKEN.upper(), f" {TOKEN} x", TOKEN + "\x00", "*", "null", "None"]
    ),
).filter(lambda text: text.strip() != TOKEN)
NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")
HOSTS = st.one_of(
    LATIN,
    st.sampled_from([
        "localhost.evil.com", "evil.com", "127.0.0.1.evil.com", "localhost@evil.com", "evil.com#localhost", "",
        "[::1]evil.com", "[::1].evil.com", "localhost:80:evil.com", "localhost:80.evil.com", "0.0.0.0", "[::]",
        "127.0.0.1:x", "2130706433", "0x7f.1", "localhost,evil.com", "localhost evil.com", "ⓛocalhost"[1:],
    ]),
)  # fmt: skip
PEERS = st.one_of(
    LATIN,
    st.sampled_from([
        "127.0.0.1", "::1", "10.0.0.1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "127.0.0.1%eth0", "0.0.0.0", "::",
        "8.8.8.8", "unix:", "", "127.0.0.1, 8.8.8.8", "fe80::1%lo", "127.1",
    ]),
)  # fmt: skip
PROXIES = st.sampled_from([
    "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_CF_CONNECTING_IP",
    "HTTP_X_ORIGINAL_URL",
])  # fmt: skip
PATHS = st.sampled_from([
    "/", "/overview", "/metrics", "/api/v1/endpoints", "/api/v1/openapi.json", "/api/v1/arms", "/static/manifest.json",
    "/%2e%2e/", "//", "/api/v1/../v1/health",
])  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])


def status(app: Dashboard, path: str, method: str, environ: dict[str, Any]) -> int:
    with Client(app).open(path, method=method, environ_overrides=environ) as answer:
        return answer.status_code


@settings(max_examples=80, deadline=None)
@given(
    path=PATHS, method=METHODS, token=WRONG, cookie=WRONG, scheme=st.sampled_from(["Bearer", "bearer", "Basic", ""]),
    host=HOSTS | st.sampled_from(NAMES), peer=PEERS, extra=st.dictionaries(PROXIES, LATIN, max_size=2),
)  # fmt: skip
def test_no_wrong_key_opens(  # noqa: PLR0917
    path: str, method: str, token: str, cookie: str, scheme: str, host: str, peer: str, extra: dict[str, str]
) -> None:
    environ = {
        "HTTP_AUTHORIZATION": f"{scheme} {token}", "HTTP_COOKIE": f"{COOKIE}={cookie}; {cookie}", "HTTP_HOST": host,
        "REMOTE_ADDR": peer, "SERVER_PROTOCOL": "HTTP/1.1", **extra,
    }  # fmt: skip
    assert status(GUARDED, path, method, environ) == 403
    right = {**environ, "HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}
    assert status(GUARDED, path, method, right) in (*OK, 400, 403 if method == "POST" else 200)


@settings(max_examples=80, deadline=None)
@given(path=PATHS, host=HOSTS, peer=PEERS, extra=st.dictionaries(PROXIES, LATIN, max_size=1))
def test_no_other_host_and_no_other_machine_is_let_in(
    path: str, host: str, peer: str, extra: dict[str, str]
) -> None:
    here = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8787", "SERVER_PROTOCOL": "HTTP/1.1"}
    assert status(OPEN, path, "GET", here) in OK
    name = host.strip().lower().partition(":")[0].rstrip(".")
    if name not in NAMES and not host.strip().lower().startswith("[::1]:"):
        assert status(OPEN, path, "GET", {**here, "HTTP_HOST": host}) == 403
    if not peer.startswith(("127.", "::1", "::ffff:127.")):
        assert status(OPEN, path, "GET", {**here, "REMOTE_ADDR": peer}) == 403
    if extra:
        assert status(OPEN, path, "GET", {**here, **extra}) == 403
