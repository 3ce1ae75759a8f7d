"""apm-agent: the performance monitor that lives inside a Python web application.

This docstring is the plan of the house. What happens, in the order it happens:

    integrations → tracing (+ profiling, instruments) → recording → store → queries → web → dashboard

Each folder stands on a floor. A file imports from floors below its own and from its own folder: never up, never
sideways. `tests/test_floors.py` reads the drawing below and holds the code to it.

       what writes                              what reads
    6  __init__ testing                         __main__
    5  integrations
    4  agent                                    cli mcp
    3  instruments recording insights           web
    2  tracing profiling config release store   queries exporters plans
    1  model clock errors clickhouse

The two wings meet in the store's file alone: the agent never loads a query, and the dashboard runs where no
agent is installed. Two doors are open on purpose. `cli` may start either wing. `integrations/mount.py` loads
the dashboard into the application, and only when a path for it was set.

pytest, for which `testing` has a plugin, may find this package imported already: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from apm_agent.tracing.blocks import background_transaction, span
from apm_agent.tracing.current import current_transaction
from apm_agent.tracing.tracer import capture_exception
from apm_agent.tracing.verbs import add_context, ignore_transaction, rename_transaction

__version__ = "0.1.0"

_F = TypeVar("_F", bound=Callable[..., Any])

__all__ = [
    "add_context",
    "asgi",
    "background_transaction",
    "capture_exception",
    "current_transaction",
    "flush",
    "ignore_transaction",
    "install",
    "profile_lines",
    "rename_transaction",
    "span",
    "uninstall",
    "wsgi",
]


def install(**settings: Any) -> None:
    """Start watching this process; once is enough, and again with the same settings does nothing.

    Keywords are the settings of `apm_agent.config.Config`; what is not given comes from ``APM_AGENT_…`` in the
    environment, then from the framework, then from the defaults. Raises `ConfigError` for a setting that is
    unknown or ill-typed and `InstallError` when already installed with other settings.
    """
    from apm_agent import agent

    agent.install(settings)


def uninstall() -> None:
    """Stop watching: write what is queued and put back every patched object as it was."""
    from apm_agent import agent

    agent.uninstall()


def profile_lines(function: _F) -> _F:
    """Time each line of a function in every transaction that calls it: ``@apm_agent.profile_lines``.

    Exact hits and ns, of that transaction alone, for functions, coroutines, generators and async generators. It slows
    the function down while it runs inside a transaction, and does nothing outside of one. Raises `ConfigError` where
    the library line_profiler is missing: ``pip install 'apm-agent[lines]'``.
    """
    from apm_agent.profiling import decorated

    return decorated.profile_lines(function)


def flush(timeout: float = 2.0) -> bool:
    """Write what is queued; True when all of it was written within `timeout` seconds."""
    from apm_agent import agent

    return agent.flush(timeout)


def wsgi(app: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """Wrap a WSGI application and install the agent: ``app = apm_agent.wsgi(app)``."""
    from apm_agent.integrations.wsgi import APMMiddleware

    return APMMiddleware(app, **settings)


def asgi(app: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """Wrap an ASGI application and install the agent: ``app = apm_agent.asgi(app)``."""
    from apm_agent.integrations.asgi import APMMiddleware

    return APMMiddleware(app, **settings)
