"""Headers every answer carries: what the browser may load, and that nothing is guessed or passed on."""

from __future__ import annotations

from werkzeug.wrappers import Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
    "require-trusted-types-for 'script'"
)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NO_STORE = "no-store"
IMMUTABLE = "private, max-age=31536000, immutable"


def guarded(response: Response) -> Response:
    """The answer with the headers every answer carries; what was not said to be kept is not kept."""
    for name, value in ALWAYS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", NO_STORE)
    return response
