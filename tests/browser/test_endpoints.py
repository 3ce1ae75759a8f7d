"""The list of endpoints as who looks for the costliest uses it: presets, groups, columns, a file for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from api import ask
from chromium import Window

pytestmark = [pytest.mark.browser, pytest.mark.server]


def test_presets_groups_columns_and_csv(visit: Callable[..., Window], mounted: Callable[[str], str]) -> None:
    window = visit(mounted("alone"))
    page = window.open("endpoints?range=24h")
    rows = page.locator("#endpoints tbody tr[data-row]")
    expect(rows.first).to_contain_text("/orders")

    with page.expect_response(re.compile(r"api/v1/endpoints.*sort=change")):
        page.get_by_role("button", name="Regressed").click()
    window.settled()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("p95 change")

    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Regressed")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Errors")

    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    table = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert len(table) == rows.count()
    assert {"GET /orders", "GET /report"} <= {row["name"] for row in table}

    page.locator(".chooser summary").click()
    page.get_by_role("checkbox", name="p99").uncheck()
    expect(page.locator("th", has_text=re.compile("^p99$"))).to_have_count(0)
    page.get_by_role("checkbox", name="p99").check()
    page.locator(".chooser summary").click()

    page.get_by_label("Group endpoints by").select_option("module")
    window.settled()
    expect(page.locator("#endpoints tbody tr[data-row] .route").first).to_have_text("shop")
    expect(page.locator("#endpoints tbody tr[data-row] .muted").first).to_contain_text("endpoints")
    for width in (1440, 430):
        window.width(width)
        assert window.faults() == []
    window.width(1440)
    page.get_by_label("Group endpoints by").select_option("view")
    expect(rows.filter(has_text="shop:orders")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == "groups.csv"
    groups = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert [row["name"] for row in groups] == rows.locator(".route").all_inner_texts()
    assert sum(int(row["endpoints"]) for row in groups) == len(table)
    assert "groups?" in (page.locator(".toolbar a", has_text="JSON").get_attribute("href") or "")
    expect(rows.filter(has_text="shop:orders")).to_have_count(1)
    rows.filter(has_text="shop:orders").focus()
    page.keyboard.press("Enter")
    window.settled()
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("/orders")
    assert "q=shop%3Aorders" in page.url
    assert "group" not in page.url


def test_the_rail_counts(visit: Callable[..., Window], mounted: Callable[[str], str]) -> None:
    window = visit(mounted("alone"))
    page = window.open("health?range=24h")
    said = ask(mounted("alone").rstrip("/"), "filters", range="24h")["counts"]
    rail = page.get_by_role("navigation", name="Pages")
    expect(rail.get_by_role("link", name="Endpoints")).to_have_accessible_name(
        f"Endpoints {said['endpoints']} endpoints called"
    )
    expect(rail.get_by_role("link", name="Errors")).to_contain_text("failed calls")
    expect(rail.get_by_role("link", name="Memory")).to_have_accessible_name("Memory")
    for width in (1440, 430):
        window.width(width)
        assert window.too_wide() == []
