"""FastAPI: ``app.add_middleware(APMMiddleware)``; the ASGI middleware under the name people look for."""

from __future__ import annotations

from apm_agent.integrations.asgi import APMMiddleware

__all__ = ["APMMiddleware"]
