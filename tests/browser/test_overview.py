"""The Overview as who looks for what is slow uses it: a box by mouse and by keys, and the way to the planted line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from api import ask
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from chromium import Window
from demo_apps import FAULTS, Fault
from records import SECOND, process, record
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]

MS = 10**6


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Quick calls for half an hour, and in its last part 40 orders of a new release with 120 queries each."""
    import time

    path = tmp_path_factory.mktemp("overview") / "apm.db"
    begin = time.time_ns() // (60 * SECOND) * 60 * SECOND - 1800 * SECOND
    bare = {"spans": [], "samples": [], "insights": []}
    for release, pid, records in (
        ("1.0", 1, [
            record("GET /", begin + n * 15 * SECOND, **{**bare, "duration_ns": (5 + n % 7) * MS, "queries": 1})
            for n in range(100)
        ]),
        ("2.0", 2, [
            record(
                "GET /orders", begin + (1200 + n * 9) * SECOND,
                duration_ns=(700 + n) * MS, queries=120, kept="slow", context={"plan": "pro"},
            )
            for n in range(40)
        ]),
    ):  # fmt: skip
        store = SQLiteStore(str(path), process(pid, release=release), 2**30)
        store.write(records, {"rss": 90 * 2**20})
        store.close()
    return path


@pytest.fixture
def window(visit: Callable[..., Window], show: Callable[..., str], planted: Path) -> Window:
    return visit(show(planted))


def draw(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    """Drag a box over these parts of the heatmap, 0 to 1 from its upper left corner."""
    area = page.locator("#latency .heat .u-over").bounding_box()
    assert area is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return area["x"] + x * area["width"], area["y"] + y * area["height"]

    page.mouse.move(*at(left, top))
    page.mouse.down()
    page.mouse.move(*at(right, bottom), steps=3)
    page.mouse.up()


def says_the_planted_cause(panel: Locator) -> None:
    first = panel.locator(".shared li").first
    expect(first).to_contain_text("GET /orders")
    expect(first).to_contain_text("100% vs 0%")
    expect(first).to_contain_text("queries over 100")
    expect(panel).to_contain_text("2.0")


def box_of(page: Page) -> list[str]:
    return parse_qs(urlsplit(page.url).query).get("box", [])


def test_a_box_by_mouse_says_what_its_requests_share(window: Window) -> None:
    page = window.open("?range=1h")
    assert page.locator("html").get_attribute("data-page") == "overview", "the root leads here"
    expect(page.locator("#kinds")).to_be_visible()
    draw(page, 0.02, 0.005, 0.98, 0.3)
    panel = page.locator("#explain")
    expect(panel.locator("h2")).to_have_text("40 selected requests")
    says_the_planted_cause(panel)
    assert window.faults() == []

    # It stays while one looks at the median of them, and at all of them.
    panel.get_by_role("link", name="Open the median trace").click()
    page.wait_for_url("**/trace?*")
    window.settled()
    assert page.locator("h1").inner_text().split()[:2] == ["GET", "/orders"]
    expect(page.locator("h1 + *, .headline").first).to_be_visible()
    page.go_back()
    window.settled()
    expect(panel.locator("h2")).to_have_text("40 selected requests")
    drawn = page.locator("#latency .heat .u-select").bounding_box()
    assert drawn is not None
    assert drawn["width"] > 50
    panel.get_by_role("link", name="All of them").click()
    page.wait_for_url("**/traces?*")
    window.settled()
    expect(page.locator("tr[data-row]")).to_have_count(40)
    page.go_back()
    window.settled()

    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(page.locator("#kinds")).to_be_visible()
    assert box_of(page) == []
    assert page.locator("#latency .uplot").count() == 2


def test_a_box_by_keys_and_live_keeps_it(window: Window) -> None:
    window.page.clock.install()
    page = window.open("overview?range=1h&live=1")
    page.locator(".heat").focus()
    page.keyboard.press("ArrowUp")  # the first draws it, at the p95 of the newest column
    panel = page.locator("#explain")
    expect(panel.locator("h2")).to_contain_text("selected request")
    few = panel.locator("h2").inner_text()
    for _ in range(8):
        page.keyboard.press("Shift+ArrowLeft")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("Shift+ArrowDown")
    expect(panel.locator("h2")).not_to_have_text(few)
    expect(panel.locator(".shared li").first).to_contain_text("GET /orders")

    (box,) = box_of(page)
    many = panel.locator("h2").inner_text()
    with page.expect_response(re.compile("api/v1/overview")):
        page.clock.run_for(2100)
    expect(panel.locator("h2")).to_have_text(many)
    assert box_of(page) == [box]
    page.keyboard.press("ArrowLeft")
    assert box_of(page) != [box]
    assert page.evaluate("document.activeElement.className") == "heat"
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)


def test_another_range_and_filter_of_the_endpoints(window: Window) -> None:
    page = window.open("overview?range=1h")
    rows = page.locator("#endpoints tr[data-row]")
    expect(rows).to_have_count(2)
    page.get_by_role("searchbox", name="Filter endpoints").fill("orders")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox", name="Filter endpoints").fill("nothing like it")
    expect(page.locator("#endpoints")).to_contain_text("No endpoint has that in its name")
    page.get_by_role("searchbox", name="Filter endpoints").fill("")
    page.locator("#endpoints th button", has_text="Calls/min").click()
    expect(rows.first.locator(".route")).to_have_text("/")
    expect(page.locator("#workers .worker-bar")).to_have_count(2)
    expect(page.locator("#workers")).to_contain_text("90.0 MB")
    # Nothing happened that lately: it says so and leads on.
    page.keyboard.press("Escape")
    window.open("overview?from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z")
    expect(page.locator(".empty")).to_contain_text("No requests in the last")


def test_few_requests_are_told_as_few(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    store = SQLiteStore(str(tmp_path / "apm.db"), process(), 2**30)
    store.write([record() for _ in range(3)], {})
    store.close()
    window = visit(show(tmp_path / "apm.db"))
    page = window.open("overview")
    expect(page.locator(".kpis .thin").first).to_contain_text("n=3")
    page.locator(".heat").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#explain")).to_contain_text("shares say little")
    assert window.faults() == []


def test_by_keys_alone_from_here_to_the_source_line(
    visit: Callable[..., Window], mounted: Callable[[str], str]
) -> None:
    window = visit(mounted("alone"))
    page = window.open("health")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url("**/overview*")
    window.open("overview?range=24h")
    page.keyboard.press("j")
    focused = page.locator("tr:focus .route")
    for _ in range(9):
        if focused.inner_text() == "/orders":
            break
        at = page.evaluate("document.activeElement.dataset.row")
        page.keyboard.press("ArrowDown")
        expect(page.locator("tr:focus")).not_to_have_attribute("data-row", at)
    expect(focused).to_have_text("/orders")
    page.keyboard.press("Enter")
    page.wait_for_url("**/endpoint?*")
    window.settled()
    assert page.locator("h1").inner_text().split()[:2] == ["GET", "/orders"]
    for _ in range(150):
        if page.evaluate("document.activeElement.matches('#slow tr')"):
            break
        page.keyboard.press("Tab")
    # Down to the first whose spans are kept.
    rows = page.locator("#slow tr[data-row]").all()
    for number in range(next(n for n, row in enumerate(rows) if row.locator(".flag").count())):
        page.keyboard.press("ArrowDown")
        expect(rows[number + 1]).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/trace?*")
    window.settled()
    expect(page.locator(".detail .line.hot")).to_contain_text('db.row("SELECT * FROM customer WHERE id = ?"')


@pytest.fixture(scope="module")
def demo(browser: Browser, demo_store: str) -> Iterator[Window]:
    """One window on what the example apps recorded of themselves."""
    with served(dashboard(demo_store)) as server:
        window = Window(browser, server.url)
        yield window
        assert window.complaints == []
        window.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.file}-{fault.kind}")
def test_from_the_overview_to_each_fault_of_the_demo_in_three_clicks(demo: Window, fault: Fault) -> None:
    place, clicks = f"{fault.file}:{fault.line}", 0
    page = demo.open("overview?range=24h")

    def click(target: Locator, leads_to: str) -> None:
        nonlocal clicks
        clicks += 1
        target.click()
        page.wait_for_url(f"**/{leads_to}?*")
        demo.settled()

    row = row_of(page, fault)
    if not row.count():  # not among the ten costliest
        all_of_them = ("Jobs", "jobs") if fault.endpoint_kind == "background" else ("Endpoints", "endpoints")
        click(page.locator(".rail").get_by_role("link", name=all_of_them[0]), all_of_them[1])
    click(row.locator(".route"), "endpoint")
    if fault.kind == "failure":
        click(page.locator("#slow tr[data-row]:has(.chip.bad) .route").first, "trace")
        told = page.locator(".raised")
    else:
        told = page.locator("#insights li", has_text=place).first
        expect(told.locator(".sourceline")).to_contain_text(f"# planted: {fault.kind}")
    expect(told).to_contain_text(place)
    assert clicks <= 3


def row_of(page: Page, fault: Fault) -> Locator:
    """The endpoint's row in a table of endpoints."""
    method, _, route = fault.endpoint.partition(" ")
    shown = route if method.isupper() else fault.endpoint
    return (
        page.locator("main tr[data-row]")
        .filter(has=page.locator(".route", has_text=re.compile(f"^{re.escape(shown)}$")))
        .filter(has_text=fault.service)
    )


def test_the_demo_has_every_kind_of_panel(demo: Window, demo_store: str) -> None:
    page = demo.open("overview?range=24h")
    found = ask(demo.mount.rstrip("/"), "overview", range="24h")
    expect(page.locator("#fix li")).to_have_count(len(found["fix_first"]))
    assert len(found["fix_first"]) == 4
    for card, cause in zip(page.locator("#fix li").all(), found["fix_first"], strict=True):
        expect(card).to_contain_text(cause["where"])
        expect(card.get_by_role("link", name="Open a trace")).to_have_count(1)
    expect(page.locator("#slowest tr[data-row]")).to_have_count(8)
    expect(page.locator("#workers .worker-bar")).to_have_count(len(found["workers"]))
    assert page.locator("#kinds .kind-sums div").count() >= 4
    assert demo.faults() == []
