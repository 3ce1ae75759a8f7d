"""What all tests share: none leaves anything behind, and in CI none of a browser, a server or a tool is skipped."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from apm_agent.testing.leaks import DESCRIPTORS, THREADS, leaving_nothing
from databases import mariadb_port, postgresql_port
from demo_apps import demo_store

__all__ = ["demo_store", "mariadb_port", "postgresql_port"]

_NEVER_SKIPPED = ("browser", "server", "tools")

_HERE = Path(__file__).parent
#: What outlives a single test by right, by folder: a dashboard keeps its connections to the store, and servers, pools
#: and clients of libraries under watch, which many tests share, their threads and sockets.
_LENT = {
    "browser": (DESCRIPTORS, THREADS),
    "clickhouse": (DESCRIPTORS, THREADS),  # chdb is a program; connections of its client
    "cli": (DESCRIPTORS,),
    "exporters": (DESCRIPTORS,),
    "instruments": (DESCRIPTORS, THREADS),
    "integrations": (DESCRIPTORS, THREADS),
    "jobs": (DESCRIPTORS, THREADS),
    "model": (DESCRIPTORS,),  # it forks: gRPC, where a test before used it, then makes its eventfd anew
    "plans": (DESCRIPTORS,),
    "profiling": (DESCRIPTORS,),  # pipes of uvloop
    "queries": (DESCRIPTORS,),
    "reliability": (DESCRIPTORS,),
    "web": (DESCRIPTORS,),
}

#: What takes longest, begun with where several processes share the files: one left for the end would run there alone.
_LONGEST = (
    "browser/test_mounts.py", "test_example_apps.py", "cli/test_run.py", "clickhouse/test_conformance.py",
    "browser/test_hostile_names.py", "integrations/test_bytes.py", "browser/test_overview.py",
    "integrations/test_auto.py", "packaging/test_wheel.py", "store/test_retention.py", "jobs/test_celery.py",
    "reliability/test_arms_on_servers.py", "browser/test_keys.py", "clickhouse/test_shipping.py",
    "integrations/test_workers.py", "browser/test_states.py", "cli/test_demo.py", "cli/test_dump.py",
    "queries/test_of_a_real_app.py", "browser/test_acting.py", "integrations/test_mount.py",
    "browser/test_arming.py", "cli/test_top.py", "browser/test_live_page.py", "cli/test_record.py",
    "reliability/test_r03_frames.py", "docs/test_readme.py", "reliability/test_r37_kill.py",
)  # fmt: skip

# A background shell has its commands ignore SIGINT, and they hand that on to each program a test starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = {_HERE / name: number for number, name in enumerate(_LONGEST)}
        items.sort(key=lambda item: place.get(item.path, len(place)))


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


@pytest.fixture(autouse=True)
def _leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """No patch, current transaction, sampler's work or switch interval, and but for `_LENT` no thread or descriptor."""
    with leaving_nothing(_LENT.get(request.path.relative_to(_HERE).parts[0], ())):
        yield
