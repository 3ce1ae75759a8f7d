"""What all tests share: in CI nothing that opens a browser, a server or another tool may be skipped."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from typing import Any

import pytest

_NEVER_SKIPPED = ("browser", "server", "tools")

# A background shell has its commands ignore SIGINT, and they hand that on to each program a test starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marked = any(item.get_closest_marker(name) for name in _NEVER_SKIPPED)
    if os.environ.get("CI") and report.skipped and marked and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report
