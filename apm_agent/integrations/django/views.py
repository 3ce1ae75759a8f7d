"""The dashboard as a Django view, so that Django itself can say who may look."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from apm_agent import agent
from apm_agent.config import Config
from apm_agent.integrations import mount
from apm_agent.tracing.verbs import ignore_transaction

_loaded: dict[tuple[Config, bool], Any] = {}


@csrf_exempt  # type: ignore[untyped-decorator]  # the dashboard accepts changes from its own origin only, and checks that itself
def dashboard(request: Any, path: str | None = None) -> HttpResponse:
    """Answer from the dashboard's WSGI application; 404 when the agent is off."""
    ignore_transaction()
    config = agent.config()
    if config is None:
        raise Http404("apm-agent is off")
    key = (config, _may_look(request))
    app = _loaded.get(key)
    if app is None:
        app = _loaded[key] = mount.load(config, open_to_all=key[1])
    started: list[Any] = []
    body = app(_environ(request, path), lambda status, headers, _=None: started.extend((status, headers)))
    try:
        content = b"".join(body)
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    status, headers = started
    response = HttpResponse(content, status=int(status[:3]), reason=status[4:] or None)
    del response["Content-Type"]
    for name, value in headers:
        response[name] = value
    return response


# From 5.1 a project may ask every view for a login; this one has rules of its own.
dashboard.login_required = False


def _may_look(request: Any) -> bool:
    # Whom Django knows to be staff, and everybody while a project is developed.
    user = getattr(request, "user", None)
    return bool(settings.DEBUG or (user is not None and user.is_active and getattr(user, "is_staff", False)))


def _environ(request: Any, path: str | None) -> dict[str, Any]:
    below = path or ""
    script = request.path[: len(request.path) - len(below)] if below else request.path
    if path is not None and not below.startswith("/"):  # included under `apm/`, which keeps the slash
        script, below = script.removesuffix("/"), "/" + below
    return {
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **request.META,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": script.encode("utf-8").decode("latin-1"),
        "PATH_INFO": below.encode("utf-8").decode("latin-1"),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": sys.stderr,
    }
