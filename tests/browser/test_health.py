"""The Health page as a user reads it: what the agent costs, what is wrong, what is kept, and what to copy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apm_agent.store.sqlite import SQLiteStore
from chromium import Window
from records import process, record

pytestmark = [pytest.mark.browser, pytest.mark.server]

ILL = {
    "sampler": {
        "state": "looking", "interval_ms": 40.0, "achieved_per_s": 24.0, "cpu_share": 0.01, "budget": 0.01,
        "late_ms_p90": 2.0, "uncertain_share": 0.1,
    },
    "recorder": {"queued": 3, "recorded": 500, "dropped": 17, "ignored": 2, "lost": 0},
    "writer": {"batches": 9, "last_ms": 4.0, "max_ms": 80.0, "errors": 1, "cpu_ms": 99.0, "last_error": None},
    "overhead": {"per_transaction_us": 250.0, "cpu_share": 0.012},
    "instruments": [
        {"name": "sqlite3", "state": "patched", "detail": ""},
        {"name": "redis", "state": "failed", "detail": "no Redis.execute_command"},
        {"name": "nosuch", "state": "waiting", "detail": "not imported yet: no_such_module"},
    ],
    "contained": [{"what": "reading memory", "error": "OSError: /home/ann", "count": 4}],
    "settings": {"sample_interval": 0.01, "max_size": 512 * 2**20, "max_age": 604800.0, "app_root": "/home/ann/shop"},
}  # fmt: skip


@pytest.fixture
def ill(tmp_path: Path) -> Path:
    """A store whose one process has many troubles."""
    path = tmp_path / "apm.db"
    store = SQLiteStore(str(path), process(77), 2**30)
    store.write([record(path="/orders/[scrubbed]", context={"user": 7})], ILL)
    store.close()
    return path


def test_troubles_come_first_with_their_cure(
    visit: Callable[..., Window], show: Callable[..., str], ill: Path
) -> None:
    window = visit(show(ill))
    page = window.open("health")
    expect(page.locator("#health")).to_contain_text("2 troubles")
    checks = page.locator("#checks .checks > li")
    expect(checks.nth(0)).to_contain_text("Wrong:")
    expect(page.locator("#checks")).to_contain_text("17 transactions: the queue was full (shop, here:77)")
    expect(page.locator("#checks")).to_contain_text("Cure: raise max_queue")
    expect(page.locator("#checks")).to_contain_text("Run apm-agent doctor where the application runs")
    expect(page.locator("#health .kpis")).to_contain_text("a mean, of 500")
    expect(page.locator("#processes tbody")).to_contain_text("asked 10 ms")
    expect(page.locator("#processes")).to_contain_text("reading memory")
    expect(page.locator("#instruments")).to_contain_text("APM_AGENT_INSTRUMENTS_OFF=redis")
    expect(page.locator("#instruments")).to_contain_text("Not here (1)")
    expect(page.locator("#privacy")).to_contain_text("1 have a path (1 with a part masked)")
    expect(page.locator("#settings")).to_contain_text("512.0 MB")
    expect(page.locator("#settings")).to_contain_text("APM_AGENT_NAME")
    page.locator("#instruments summary").click()
    for width in (1440, 430):
        window.width(width)
        assert window.faults() == []


def test_what_is_copied_for_a_bug_report_names_nobody(
    visit: Callable[..., Window], show: Callable[..., str], ill: Path
) -> None:
    window = visit(show(ill))
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = window.open("health")
    page.get_by_role("button", name="Copy diagnostics").click()
    expect(page.locator("#health [role=status]")).to_have_text("Copied, names masked")
    text = page.evaluate("navigator.clipboard.readText()")
    said = json.loads(text)
    assert said["processes"][0]["recorder"]["dropped"] == 17
    assert not re.search(r"ann|shop|/tmp|apm\.db", text), text


def test_every_figure_of_cost_says_how_it_is_made(
    visit: Callable[..., Window], mounted: Callable[[str], str]
) -> None:
    page = visit(mounted("alone")).open("health?range=24h")
    labels = page.locator("#health .kpi .label")
    assert labels.count() == 6
    assert page.locator("#health .kpi .label[data-tip]").count() == 6
    assert page.locator("#processes th [data-tip]").count() == 10
    expect(page.locator("#store .kept li")).to_have_count(7)
    assert page.get_by_role("link", name="JSON").get_attribute("href") == "api/v1/health?range=24h"
