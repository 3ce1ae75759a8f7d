"""A search for what few transactions have says how far back it went, and goes on from there on a click."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from chromium import Window
from many import fill

pytestmark = [pytest.mark.browser, pytest.mark.server]


def test_a_search_goes_on_where_it_ended(
    visit: Callable[..., Window], show: Callable[[Path | str], str], tmp_path: Path
) -> None:
    fill(tmp_path / "apm.db", int(time.time()), 80_000, 22_000, 12)
    window = visit(show(tmp_path / "apm.db"), viewport={"width": 430, "height": 900})
    page = window.open("traces?range=24h&q=/part/1777")
    note = page.get_by_role("status").filter(has_text="looked through")
    expect(note).to_contain_text("only the newest 20,000 of 22,000 in this range were looked through")
    expect(page.locator("tr[data-row]")).to_have_count(10)
    note.get_by_role("button", name="Look further back").press("Enter")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    expect(note).to_have_count(0)
    assert "to=" in page.url
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert window.faults() == []
