"""From the list of errors to the line that raised one, its log, and what its failures share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from api import ask
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from chromium import Window
from make_store import make
from records import process, record
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("errors") / "apm.db"
    make(path, 1500)
    with served(dashboard(f"sqlite:///{path}")) as server:
        yield server.url


def test_by_keyboard_from_any_page_to_the_line_that_raised(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("health?range=24h")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/errors*")
    window.settled()
    page.locator("tr[data-row]").filter(has_text="SMTPRecipientsRefused").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/error?*")
    window.settled()
    expect(page.locator("h1")).to_have_text("SMTPRecipientsRefused")
    expect(page.locator(".rail [aria-current=page]")).to_have_text(re.compile(r"^Errors\d"))
    expect(page.locator("#stack .line.hot")).to_contain_text('smtplib.SMTP("mail.example.com")')
    expect(page.locator("#stack")).not_to_contain_text("__protected_call__")
    page.get_by_role("button", name="Show 2 calls in celery").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#stack")).to_contain_text("__protected_call__")
    expect(page.locator("#log")).to_contain_text("connecting to mail.example.com")
    page.locator("#traces tr[data-row]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/trace?*")
    window.settled()
    expect(page.locator("h1")).to_contain_text("SMTPRecipientsRefused")


def test_what_they_share_is_told_with_its_counts(visit: Callable[..., Window], site: str) -> None:
    window = visit(site, color_scheme="dark")
    page = window.open("errors?range=24h&q=SMTP")
    row = page.locator("tr[data-row]").first
    expect(row).to_contain_text("1.4.0")
    row.get_by_role("link").first.click()
    page.wait_for_url("**/error?*")
    window.settled()
    shared = page.locator("#shared li").filter(has_text="release")
    expect(shared).to_contain_text("1.4.0")
    expect(shared).to_contain_text("100%")
    shared.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("other calls have it")
    page.mouse.move(0, 0)
    assert window.faults() == []


def test_order_filter_and_nothing_found(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("errors?range=24h")
    rows = page.locator("tr[data-row]")
    expect(rows.first).to_contain_text("ValueError")
    page.get_by_role("button", name="Newest").click()
    window.settled()
    expect(rows.first).to_contain_text("SMTPRecipientsRefused")
    page.get_by_role("searchbox", name="Text in type, message, file or endpoint").fill("basket")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox").last.fill("nowhere")
    expect(page.locator(".empty")).to_contain_text("No errors with these filters")


def test_one_that_did_not_happen_and_none_chosen(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("error?type=KeyError&range=1h")
    expect(page.locator("h1")).to_have_text("No KeyError here in this range")
    assert window.faults() == []
    page.get_by_role("button", name="Look at the last 7d").click()
    page.wait_for_url("**range=7d*")
    window.settled()
    page.get_by_role("link", name="All errors").click()
    page.wait_for_url("**/errors*")
    page = window.open("error")
    page.get_by_role("link", name="Choose one from the list").click()
    page.wait_for_url("**/errors*")
    window.expect("console: Failed to load resource.*404")


def test_an_answer_without_an_exception_and_a_day_without_errors(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    for name, status in (("well", 200), ("ill", 503)):
        store = SQLiteStore(str(tmp_path / f"{name}.db"), process(), 2**30)
        store.write([record(status=status, kept=None)], {})
        store.close()
    window = visit(show(tmp_path / "well.db"))
    page = window.open("errors?range=1h")
    expect(page.locator(".empty")).to_contain_text("Nothing failed in the last")
    assert window.faults() == []
    site = show(tmp_path / "ill.db")
    [row] = ask(site.rstrip("/"), "errors", range="1h")["errors"]
    assert (row["type"], row["frame"]) == ("HTTP 503", None)
    page = visit(site).open("error?type=HTTP%20503&range=1h")
    expect(page.locator("#stack")).to_contain_text("No exception reached the agent")
    expect(page.locator("#shared")).to_contain_text("there is nothing to compare them with")
