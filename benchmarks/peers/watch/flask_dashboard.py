"""Flask-MonitoringDashboard at its default level."""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import Any

TITLE = "Flask-MonitoringDashboard"
REQUIRES = ("Flask-MonitoringDashboard", "setuptools<81")  # it imports pkg_resources
FRAMEWORKS = ("flask",)
SENDS = False

_FILE = "monitoring.sqlite3"


def environment(port: int, core_port: int, folder: str) -> dict[str, str]:
    """Nothing."""
    return {}


def begin() -> None:
    """Nothing: the application's one line does it."""


def flask(app: Any) -> None:
    """As its documentation says."""
    import flask_monitoringdashboard as dashboard

    dashboard.config.database_name = f"sqlite:///{os.getcwd()}/{_FILE}"
    dashboard.config.enable_telemetry = False
    app.secret_key = "benchmark"
    dashboard.bind(app)


def flush() -> None:
    """Wait for its threads, of which each request starts one that writes."""
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("flask_monitoringdashboard") and thread.name.startswith(
            "Thread"
        ):
            thread.join(10)


def kept() -> int:
    """Rows in its table."""
    store = sqlite3.connect(_FILE)
    return int(store.execute("SELECT count(*) FROM Request").fetchone()[0])
