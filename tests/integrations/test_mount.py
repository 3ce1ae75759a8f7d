"""The dashboard below a path of the application, in each of its mounts, on real servers."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path

import pytest

from servers import ROOT, environment, free_port, gunicorn, running, uvicorn

SITES = Path(__file__).parent / "sites"
MOUNTS = {
    "wsgi": ("kitchen:wsgi", gunicorn, "/list", {}),
    "flask": ("kitchen:flasks", gunicorn, "/plain/", {}),
    "starlette": ("kitchen:starlettes", uvicorn, "/headers", {}),
    "asgi": ("kitchen:asgi", uvicorn, "/plain", {}),
    "django-wsgi": ("notes:wsgi", gunicorn, "/page", {}),
    "django-asgi": ("notes:asgi", uvicorn, "/page", {}),
    "django-urls": ("notes:wsgi", gunicorn, "/page", {"SITE_URLS": "1", "APM_AGENT_DASHBOARD_PATH": ""}),
    "django-urls-asgi": ("notes:asgi", uvicorn, "/page", {"SITE_URLS": "1", "APM_AGENT_DASHBOARD_PATH": ""}),
}


class Browser:
    """Asks one server; follows nothing."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@pytest.mark.server
@pytest.mark.parametrize("mount", MOUNTS)
def test_the_dashboard_is_served_and_never_timed(mount: str, tmp_path: Path) -> None:
    app, server, path, variables = MOUNTS[mount]
    port = free_port()
    env = environment(**{
        "PYTHONPATH": os.pathsep.join((str(SITES), str(ROOT))), "SITE_WATCHED": "1", "SITE_SETTINGS": "{}",
        "SITE_SERVER": "1", "APM_AGENT_DASHBOARD_PATH": "/apm", "APM_AGENT_FLUSH_INTERVAL": "50ms",
        **variables,
    })  # fmt: skip
    with running(server(app, port), port=port, env=env, cwd=tmp_path) as program:
        browser = Browser(port)
        assert browser.get(path)[0] == 200
        # Where the project's own URLs end with a slash, it is Django that adds it.
        status, headers, _ = browser.get("/apm/" if "SITE_URLS" in variables else "/apm")
        assert status == 302, program.output
        assert headers["location"] in ("apm/", "overview")
        for _ in range(3):
            status, headers, body = browser.get("/apm/api/v1/health")
            assert status == 200, program.output
            assert headers["content-type"].startswith("application/json")
        for attempt in range(200):
            _, _, body = browser.get("/apm/api/v1/endpoints?range=15m")
            # What a request leaves to be done after it is a transaction of its own.
            found = [row for row in json.loads(body)["endpoints"] if row["kind"] != "background"]
            names = {row["name"]: row["count"] for row in found}
            if names or attempt == 199:
                break
        assert names == {f"GET {path}": 1}, program.output
        assert browser.get("/apm/api/v1/none")[0] == 404
        assert browser.get("/apm/api/v1/endpoints?range=9x")[0] == 400
        # R38: whom a proxy forwarded, and whoever names another host, stays outside.
        assert browser.get("/apm/api/v1/health", X_Forwarded_For="10.0.0.1")[0] == 403
        assert browser.get("/apm/api/v1/health", Host="evil.example")[0] in (400, 403)
        assert browser.get("/apm/api/v1/health", method="POST")[0] in (403, 405)
        assert browser.get("/apmx")[0] == (200 if mount in ("asgi",) else 304 if mount == "wsgi" else 404)


@pytest.mark.server
def test_in_django_whoever_develops_may_look(tmp_path: Path) -> None:
    port = free_port()
    env = environment(
        PYTHONPATH=os.pathsep.join((str(SITES), str(ROOT))), SITE_SETTINGS="{}", SITE_SERVER="1",
        SITE_URLS="1", SITE_DEBUG="1", APM_AGENT_DASHBOARD_TOKEN="t0ken",
    )  # fmt: skip
    with running(gunicorn("notes:wsgi", port), port=port, env=env, cwd=tmp_path):
        assert Browser(port).get("/apm/api/v1/health", X_Forwarded_For="10.0.0.1")[0] == 200
