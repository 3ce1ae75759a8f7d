"""Which process this is: what the store keeps of whoever writes, beside what is written."""

from __future__ import annotations

import os
import sys

from apm_agent import release
from apm_agent.clock import system
from apm_agent.config import Config
from apm_agent.model.record import Process

#: Servers that run applications, by the module each of them loads.
_SERVERS = ("gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress", "uwsgi", "celery")


def describe(config: Config) -> Process:
    """The process that runs now; asked again after a fork."""
    return Process(
        service=service_of(config),
        environment=config.environment,
        release=release.find(config.release, config.app_root or os.getcwd()),
        host=host(),
        pid=os.getpid(),
        started_at=system.wall(),
        python=sys.version.split()[0],
        server=_server(),
        app_root=os.path.abspath(config.app_root or os.getcwd()),
    )


def service_of(config: Config) -> str:
    """The name of this application."""
    return config.service or os.path.basename(os.getcwd()) or "app"


def host() -> str:
    """The name of this machine."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def _server() -> str:
    """The server that runs us; empty when none is known."""
    for name in _SERVERS:
        module = sys.modules.get(name)
        if module is not None:
            version = getattr(module, "__version__", "")
            return f"{name} {version}".strip()
    return ""
