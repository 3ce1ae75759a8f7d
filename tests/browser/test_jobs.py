"""From the list of jobs to the waits of one and the request that enqueued it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from chromium import Window
from make_jobs import EXPORT, RECEIPT, STOCK
from make_store import make
from records import process, record
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("jobs") / "apm.db"
    make(path, 1500)
    with served(dashboard(f"sqlite:///{path}")) as server:
        yield server.url


def test_by_keyboard_from_any_page_to_who_enqueued_it(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("endpoints?range=24h")
    expect(page.locator("main")).not_to_contain_text(RECEIPT)
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url("**/jobs*")
    window.settled()
    expect(page.locator("h1")).to_have_text("Jobs")
    page.keyboard.press("s")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    window.settled()
    rows = page.locator("tr[data-row]")
    expect(rows.first).to_contain_text(EXPORT)
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Wait")
    rows.filter(has_text=RECEIPT).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/endpoint?*kind=background*")
    window.settled()
    expect(page.locator(".rail [aria-current=page]")).to_have_text(re.compile(r"^Jobs\d"))
    expect(page.locator("#wait")).to_contain_text("Wait p95")
    page.locator("#enqueued tr[data-row]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/trace?*")
    window.settled()
    expect(page.locator("h1")).to_contain_text("/quote")


def test_endpoints_shows_requests_first_and_jobs_when_asked(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("endpoints?range=24h&kind=background")
    rows = page.locator("main tr[data-row]")
    expect(rows).to_have_count(4)
    page.get_by_role("group", name="Kind of endpoint").get_by_role("button", name="All").click()
    page.wait_for_url("**kind=all*")
    window.settled()
    expect(rows).to_have_count(11)
    page.get_by_role("button", name="Web", exact=True).click()
    window.settled()
    expect(rows).to_have_count(7)
    assert "kind=" not in page.url


def test_what_a_row_says(visit: Callable[..., Window], site: str) -> None:
    window = visit(site, color_scheme="dark")
    page = window.open("jobs?range=24h")
    stock = page.locator("tr[data-row]").filter(has_text=STOCK)
    expect(stock).to_contain_text("every 15 min")
    expect(stock).to_contain_text("2 missed")
    receipt = page.locator("tr[data-row]").filter(has_text=RECEIPT)
    expect(receipt.locator(".longer")).to_be_visible()
    receipt.locator("[data-tip^='It waits longer']").hover()
    expect(page.get_by_role("tooltip")).to_contain_text("It waits longer than it runs.")
    expect(page.locator("tr[data-row]").filter(has_text=EXPORT).locator(".pair.thin").first).to_be_visible()
    page.get_by_role("button", name="Most failures").click()
    window.settled()
    expect(page.locator("tr[data-row]").first).to_contain_text(RECEIPT)
    page.get_by_role("searchbox", name="Filter jobs").fill("nowhere")
    expect(page.locator(".empty")).to_contain_text("No jobs with these filters")
    assert window.faults() == []


def test_a_run_leads_to_the_request_that_enqueued_it(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open(f"endpoint?name={RECEIPT}&kind=background&range=24h")
    page.locator("#enqueued").get_by_role("link", name="its run").click()
    page.wait_for_url("**/trace?*")
    window.settled()
    expect(page.locator("h1")).to_contain_text(RECEIPT)


def test_a_job_of_long_ago_is_named_where_it_did_not_run(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    now = time.time_ns()
    fields = {"kind": "background", "method": None, "path": None, "status": None, "spans": [], "samples": []}
    store = SQLiteStore(str(tmp_path / "apm.db"), process(), 2**30)
    store.write([record("weekly", now - 9 * 3600 * 10**9, **fields), record(at=now)], {})
    store.close()
    window = visit(show(tmp_path / "apm.db"))
    page = window.open("jobs?range=1h")
    expect(page.locator("main")).to_contain_text("Did not run in this range")
    expect(page.locator(".idle")).to_contain_text("weekly last run 9.0 h ago")
    assert window.faults() == []
    page.get_by_role("link", name="weekly").click()
    page.wait_for_url("**/endpoint?*")
