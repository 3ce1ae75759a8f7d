"""The few plain pages that need no build: refused, not found, not built."""

from __future__ import annotations

from html import escape

from werkzeug.wrappers import Response

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title} · apm-agent</title>
</head>
<body>
<main>
<h1>{title}</h1>
{text}
</main>
</body>
</html>
"""


def page(status: int, title: str, paragraphs: list[str]) -> Response:
    """A page of headings and paragraphs; lines that begin with four spaces are commands."""
    text = "\n".join(map(_paragraph, paragraphs))
    return Response(
        _PAGE.format(title=escape(title), text=text), status, content_type="text/html; charset=utf-8"
    )


def _paragraph(text: str) -> str:
    if text.startswith("    "):
        return f"<pre><code>{escape(text[4:])}</code></pre>"
    return f"<p>{escape(text)}</p>"


def refused() -> Response:
    """Says how to open the dashboard, and nothing of what is behind it."""
    return page(
        403,
        "This dashboard is closed to you",
        [
            "It answers only the machine it runs on, without a proxy between, and whoever was let in by "
            "name. "
            "Whoever runs the application can open it in one of these ways:",
            "with a token: set APM_AGENT_DASHBOARD_TOKEN to a long random text, restart, and open",
            "    …/?token=THE-TOKEN",
            "with a rule: set APM_AGENT_AUTHORIZE to module:function, which gets the request and answers "
            "True or False",
            "in Django: sign in as a member of staff, or set DEBUG on a developer's machine",
            "from your own machine: forward the port, and open it as localhost",
            "    ssh -L 8787:127.0.0.1:8787 the-server",
        ],
    )


def missing(what: str) -> Response:
    """There is no such page."""
    return page(
        404,
        "Not found",
        [f"There is no page {what!r} here.", "The dashboard begins at its first page, overview."],
    )


def not_built() -> Response:
    """The pages were never built: a checkout without its build."""
    return page(
        503,
        "The pages are not built yet",
        [
            "The dashboard's pages are TypeScript, built when the package is built. In a checkout, build "
            "them with:",
            "    pip install -e .",
            "or, with Node at hand:",
            "    cd dashboard && npm ci && npm run build",
            "The same data is JSON below api/v1/, for example api/v1/endpoints?range=1h.",
        ],
    )


def not_allowed() -> Response:
    """Only reading."""
    response = page(405, "Method not allowed", ["These pages are only read: GET or HEAD."])
    response.headers["Allow"] = "GET, HEAD"
    return response
