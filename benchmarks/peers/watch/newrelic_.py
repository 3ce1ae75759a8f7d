"""New Relic in its developer mode: everything is measured and harvested, and its last step sends to nobody."""

from __future__ import annotations

from typing import Any

TITLE = "New Relic"
REQUIRES = ("newrelic",)
FRAMEWORKS = ("flask", "django", "starlette")
SENDS = False

_before = 0


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Its settings."""
    return {
        "NEW_RELIC_DEVELOPER_MODE": "true", "NEW_RELIC_LICENSE_KEY": "0" * 40, "NEW_RELIC_APP_NAME": "watched",
        "NEW_RELIC_LOG": "/dev/null", "NEW_RELIC_STARTUP_TIMEOUT": "10",
    }  # fmt: skip


def begin() -> None:
    """As its documentation says."""
    import newrelic.agent

    newrelic.agent.initialize()
    newrelic.agent.register_application(timeout=10)


def flask(app: Any) -> None:
    """Nothing: it finds the framework."""


def django(settings: dict[str, Any]) -> None:
    """Nothing: it finds the framework."""


def starlette(app: Any) -> None:
    """Nothing: it finds the framework."""


def flush() -> None:
    """Harvest, as it does by itself once a minute."""
    _count()
    _application().harvest()


def _application() -> Any:
    from newrelic.core.agent import agent_instance

    return agent_instance().application("watched")


def _count() -> None:
    global _before
    _before += _application()._stats_engine.transaction_events.num_seen


def kept() -> int:
    """Transactions it harvested."""
    _count()
    return _before
