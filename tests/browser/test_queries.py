"""From the list of queries to the plan of one, by keyboard and by mouse, whatever state there is."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from api import ask
from apm_agent.web.app import dashboard
from chromium import Window
from make_store import REPORT, make
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the made-up day's application, as far as plans need it, beside a store of its own."""
    folder = tmp_path_factory.mktemp("shop")
    make(folder / "apm.db", 600)
    db = sqlite3.connect(folder / "shop.db")
    db.executescript(
        "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_id INT, customer_id INT, created INT);"
        "CREATE TABLE lines (order_id INT, sku TEXT);"
    )
    db.close()
    return folder


@pytest.fixture(scope="module")
def site(shop: Path) -> Iterator[str]:
    explain = [f"shop=sqlite:///{shop}/shop.db", f"old=sqlite:///{shop}/gone.db"]
    with served(dashboard(f"sqlite:///{shop}/apm.db", explain=explain)) as server:
        yield server.url


def id_of(site: str, text: str) -> str:
    rows = ask(site.rstrip("/"), "queries", range="24h")["queries"]
    return next(row["id"] for row in rows if row["text"] == text)


def test_by_keyboard_from_any_page_to_a_plan(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("endpoints?range=24h")
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url("**/queries*")
    window.settled()
    page.locator("tr[data-row]").first.focus()
    page.keyboard.press("j")
    expect(page.locator("tr[data-row='1']")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/query?*")
    window.settled()
    expect(page.locator("h1")).to_have_text("SELECT orders")
    button = page.get_by_role("button", name="Ask shop for the plan")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#plans [role=status]").first).to_contain_text("shop answered with a plan of 2 steps")
    expect(page.locator(".plan").first).to_contain_text("SCAN orders")
    expect(page.locator(".plan").first).to_contain_text("whole table")
    expect(button).to_be_focused()
    assert window.faults() == []


def test_a_changed_plan_says_what_changed(visit: Callable[..., Window], site: str, shop: Path) -> None:
    window = visit(site, color_scheme="dark")
    page = window.open(f"query?id={id_of(site, REPORT)}&range=24h")
    page.get_by_role("button", name="Ask shop").click()
    expect(page.locator(".plan").first).to_contain_text("SCAN orders")
    db = sqlite3.connect(shop / "shop.db")
    db.execute("CREATE INDEX by_created ON orders (created)")
    page.get_by_role("button", name="Ask shop").click()
    first = page.locator(".plan").first
    expect(first).to_contain_text("changed since release 1.4.0")
    db.execute("DROP INDEX by_created")
    db.close()
    expect(first.get_by_role("list", name="What changed")).to_contain_text("by_created")
    page.locator("#plans summary").click()
    for width in (430, 1024, 1440):
        window.width(width)
        assert window.faults() == []


def test_a_database_that_does_not_answer_is_said_and_the_page_stays(
    visit: Callable[..., Window], site: str
) -> None:
    window = visit(site)
    page = window.open(f"query?id={id_of(site, REPORT)}&range=24h")
    page.get_by_label("Database").select_option("old")
    page.get_by_role("button", name="Ask old").click()
    expect(page.get_by_role("alert")).to_contain_text("there is no file for the database 'old'")
    expect(page.locator("#senders")).to_contain_text("/report")
    assert window.faults() == []
    window.expect("console: Failed to load resource.*503")


def test_off_says_how_to_turn_it_on(
    visit: Callable[..., Window], show: Callable[..., str], shop: Path, site: str
) -> None:
    window = visit(show(shop / "apm.db"))
    page = window.open(f"query?id={id_of(site, REPORT)}&range=24h")
    expect(page.locator("#plans")).to_contain_text("APM_AGENT_EXPLAIN=")
    assert page.get_by_role("button", name="Ask").count() == 0
    assert window.faults() == []


def test_order_filter_and_nothing_found(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("queries?range=24h")
    first = page.locator("tr[data-row]").first
    expect(first).to_contain_text("customer")
    expect(first).to_contain_text("n+1")
    page.get_by_role("button", name="Slowest each").click()
    window.settled()
    expect(first).to_contain_text("JOIN lines")
    for preset, column, figure in (
        ("Bottleneck", "Of endpoint", "%"),
        ("Always slow", "Slow in", "100% of calls"),
    ):
        page.get_by_role("button", name=preset).click()
        expect(page.locator("th", has_text=column)).to_be_visible()
        expect(first).to_contain_text("JOIN lines")
        expect(first.locator("b.bad")).to_contain_text(figure)
    expect(first).to_contain_text("5,000")
    page.get_by_role("searchbox", name="Text in the statement").fill("nowhere")
    expect(page.locator(".empty")).to_contain_text("No queries with these filters")
    page.get_by_role("button", name="q: nowhere remove").click()
    window.settled()
    expect(first).to_be_visible()


def test_no_query_chosen_and_one_there_is_not(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("query")
    page.get_by_role("link", name="Choose one from the list").click()
    page.wait_for_url("**/queries*")
    page = window.open("query?id=7")
    expect(page.get_by_role("alert")).to_contain_text("there is no statement 7")
    assert window.faults() == []
    window.expect("console: Failed to load resource.*404")


def test_an_endpoint_and_a_trace_lead_to_a_query(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    slow = ask(site.rstrip("/"), "traces", name="GET /report", kept="1", range="24h")["traces"][0]
    for address in (f"endpoint?name={quote('GET /report')}&range=24h", f"trace?id={slow['id']}&range=24h"):
        page = window.open(address)
        if address.startswith("trace"):
            page.locator(".span-row", has_text="SELECT orders").first.click()
            told = page.locator("[data-marked]")
            expect(told.locator("dt", has_text="Time to first row").locator("xpath=../dd")).to_have_text(
                "2.0 ms"
            )
            expect(told.locator("dt", has_text="Fetching rows")).to_have_attribute(
                "data-tip", re.compile("after that call")
            )
        page.locator("#statements tr[data-row] button[aria-expanded]").first.click()
        page.get_by_role("link", name="All of this query").click()
        page.wait_for_url("**/query?*")
        window.settled()
        expect(page.locator("h1")).to_have_text("SELECT orders")
        expect(page.locator("#senders")).to_contain_text("/report")
