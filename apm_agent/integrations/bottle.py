"""Bottle: the exception it turns into a 500; its routes are found in the environ (`places`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apm_agent.instruments.rows import Returning
from apm_agent.instruments.support import Support
from apm_agent.integrations.routed import note_answered


def _made(wrapped: Callable[..., Any], answer: Any, args: Any, kwargs: Any) -> Any:
    # Bottle calls no hook for an exception; it keeps it in the answer it makes of it.
    result = wrapped(*args, **kwargs)
    error = getattr(answer, "exception", None)
    if isinstance(error, BaseException):
        note_answered(error, getattr(answer, "status_code", None))
    return result


PATCHES = (Returning("bottle:HTTPError.__init__", _made),)

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "Bottle",
    "WSGI; patch of `HTTPError.__init__`",
    "requests by method and rule, the exception behind a 500",
    ("bottle",),
)
