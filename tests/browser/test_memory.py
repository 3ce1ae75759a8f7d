"""The Memory page: who grows, who leaks, what pauses cost, and what was measured of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from chromium import Window
from leaking import EXPORT, make

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("leaking") / "apm.db"
    make(path, 1800)
    return path


def test_from_any_page_by_key_to_the_endpoint_that_leaks(
    visit: Callable[..., Window], show: Callable[[Path | str], str], leaking: Path
) -> None:
    window = visit(show(leaking))
    page = window.open("endpoints?range=6h")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/memory?*")
    window.settled()
    expect(page.locator("h1")).to_have_text("Memory")
    expect(page.locator(".kpi", has_text="Endpoints that leak").locator(".value")).to_have_text("1")
    expect(page.get_by_role("img", name="Resident memory of")).to_be_visible()
    first = page.locator("#endpoints tr[data-row]").first
    expect(first).to_contain_text("/track")
    expect(first).to_contain_text("leaks")
    expect(page.locator("#endpoints .left-out")).to_contain_text("GET /feed")
    assert window.faults() == []
    first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/endpoint?*")
    window.settled()
    # the results of the three ways of measuring, walked by keyboard
    panel = page.locator("#closer")
    panel.get_by_role("tab", name="cProfile").focus()
    page.keyboard.press("ArrowRight")
    expect(panel.get_by_role("group", name="Lines of price")).to_contain_text("rule.factor(item)")
    page.keyboard.press("ArrowRight")
    expect(panel).to_contain_text("1 of 2 not alone")
    assert window.faults() == []
    window.width(430)
    assert window.too_wide() == []


def test_orders_marks_and_the_words_beside_the_chart(
    visit: Callable[..., Window], show: Callable[[Path | str], str], leaking: Path
) -> None:
    window = visit(show(leaking), color_scheme="dark")
    page = window.open("memory?range=6h")
    rows = page.locator("#endpoints tr[data-row]")
    page.get_by_role("button", name="Median a call").click()
    expect(page.locator("#endpoints th[aria-sort=descending]")).to_have_text("Median a call ↓")
    page.get_by_role("button", name="Median a call").click()
    expect(rows.first).to_contain_text("/orders")
    page.reload()
    window.settled()
    expect(rows.first).to_contain_text("/orders")
    page.get_by_role("button", name="Leaks first").click()
    expect(rows.first).to_contain_text("/track")
    worker = page.locator("#workers button.quiet").first
    worker.click()
    expect(worker).to_have_attribute("aria-pressed", "true")
    page.locator("#workers summary").click()
    expect(page.locator("#workers details")).to_contain_text("with release 1.5.0, after pid")
    expect(page.locator("#workers details")).to_contain_text("release 1.5.0 of shop came")
    page.locator("#workers [role=img]").hover()
    expect(page.locator("#gc")).to_contain_text("2.0 ms, generation 2")
    expect(page.locator("#capture")).to_contain_text("Summed over 2 transactions:")
    expect(page.get_by_label("Endpoint to measure")).to_have_value(EXPORT)
    for width in (1024, 430):
        window.width(width)
        assert window.too_wide() == []
    assert window.faults() == []


def test_nothing_recorded_and_nothing_that_ran_alone(
    visit: Callable[..., Window], show: Callable[[Path | str], str], leaking: Path, tmp_path: Path
) -> None:
    window = visit(show(tmp_path / "none.db"))
    page = window.open("memory")
    expect(page.locator("main")).to_contain_text("Nothing recorded yet")
    assert window.faults() == []
    page = visit(show(leaking)).open("memory?range=6h&service=nobody")
    expect(page.locator("main")).to_contain_text("No transactions with these filters")


def test_a_failing_store_is_told_and_tried_again(
    visit: Callable[..., Window], show: Callable[[Path | str], str], leaking: Path
) -> None:
    window = visit(show(leaking))
    page = window.open("memory?range=9y")
    expect(page.get_by_role("alert")).to_contain_text("range='9y' is not one of")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    window.expect("console: Failed to load resource.*400")
