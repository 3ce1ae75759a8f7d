"""FastAPI: ``app.add_middleware(APMMiddleware)``; the ASGI middleware under the name people look for."""

from __future__ import annotations

from apm_agent.instruments.support import Support
from apm_agent.integrations.asgi import APMMiddleware

__all__ = ["APMMiddleware"]

#: For docs/supported.md.
SUPPORT = Support(
    "Frameworks",
    "FastAPI",
    "ASGI; as Starlette",
    "as Starlette; `def` endpoints in their thread",
    ("fastapi",),
)
