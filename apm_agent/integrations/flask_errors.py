"""Tells a transaction of the exception that Flask turns into a 500."""

from __future__ import annotations

from typing import Any

from flask import got_request_exception

from apm_agent.tracing.tracer import capture_exception


def connect() -> None:
    """Listen to every Flask application of the process; again does nothing."""
    got_request_exception.connect(_tell, weak=False)


def _tell(sender: Any, exception: BaseException, **_: Any) -> None:
    capture_exception(exception)
