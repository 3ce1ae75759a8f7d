"""The filter by host: there where more than one machine wrote, kept in the address, by mouse and by keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apm_agent.store.sqlite import SQLiteStore
from chromium import Window
from make_store import Shop, batches, process

pytestmark = pytest.mark.browser

_CALLS = {"web-1": 120, "web-2": 60}


def _store(path: Path) -> Path:
    now = time.time_ns()
    for host, calls in _CALLS.items():
        who = replace(process(path.parent / "shop", "1.4.0", 1, now - 3600 * 10**9), host=host)
        store = SQLiteStore(str(path), who, 4 * 2**30)
        for batch in batches(Shop(path.parent / "shop", calls), calls, now - 1800 * 10**9, now, calls):
            store.write(batch, {})
        store.close()
    return path


def test_a_host_is_picked_and_stays_from_page_to_page(
    tmp_path: Path, show: Callable[[Path], str], visit: Callable[..., Window]
) -> None:
    window = visit(
        show(_store(tmp_path / "apm.db")), viewport={"width": 1024, "height": 800}, reduced_motion="reduce"
    )
    page = window.open("traces?range=1h")
    expect(page.get_by_label("Service", exact=True)).to_have_count(0)  # there is but one
    hosts = page.get_by_label("Host", exact=True)
    expect(hosts).to_have_text("all hostsweb-1web-2")
    hosts.focus()
    page.keyboard.press("ArrowDown")  # as in every list of a form
    expect(hosts).to_have_value("web-1")
    window.settled()
    assert "host=web-1" in page.url
    rows = page.locator("table").first
    expect(rows).to_be_visible()

    page.locator("nav").get_by_role("link", name="Queries").click()
    window.settled()
    assert "host=web-1" in page.url
    expect(page.locator(".stale")).to_contain_text("are of all hosts")
    for theme in ("light", "dark"):
        if theme == "dark":
            page.keyboard.press("d")
        assert window.faults() == []
    for width in (430, 1440):
        window.width(width)
        assert window.too_wide() == []
        expect(hosts).to_be_visible()

    page = window.open("traces?range=1h&host=gone")
    expect(page.locator("main")).to_contain_text("No transactions with these filters")
    page.get_by_role("button", name="host: gone").click()
    window.settled()
    expect(hosts).to_have_value("")
    assert "host=" not in page.url
    page = window.open("health")
    expect(hosts).to_be_visible()
