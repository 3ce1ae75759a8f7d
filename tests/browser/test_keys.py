"""The pages by keyboard alone: going, searching, walking tables and the timeline, coming back by address."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from api import ask
from chromium import Window

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture
def window(visit: Callable[..., Window], mounted: Callable[[str], str]) -> Window:
    return visit(mounted("alone"))


@pytest.fixture(scope="session")
def trace(mounted: Callable[[str], str]) -> str:
    """A trace with repeated queries, neither the fastest nor the slowest of its endpoint."""
    found = ask(mounted("alone").rstrip("/"), "traces", name="GET /orders", kept="1", range="24h")["traces"]
    return str(found[len(found) // 2]["id"])


def asked(page: Page) -> dict[str, str]:
    """The query string of the page."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def focused_row(page: Page) -> int:
    return int(page.evaluate("document.activeElement.dataset.row ?? -1"))


#: The key after `g`, and where it goes.
PAGES = {
    "o": "overview", "j": "jobs", "t": "traces", "q": "queries", "m": "memory", "r": "errors", "c": "compare",
    "l": "live", "h": "health", "e": "endpoints",
}  # fmt: skip


def test_go_from_page_to_page(window: Window) -> None:
    page = window.open("endpoints?range=6h")
    for key, name in PAGES.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(re.compile(rf"/{name}\?"))
        window.settled()
        assert asked(page) == {"range": "6h"}, "the range goes along"
        expect(page.locator(".rail [aria-current=page]")).to_have_attribute("href", re.compile(rf"^{name}\?"))


def test_search_by_name_and_by_id(window: Window, trace: str) -> None:
    page = window.open("health?range=24h")
    page.keyboard.press("/")
    page.keyboard.type("quote")
    expect(page.locator("#search-hits [role=option]").first).to_contain_text("POST /quote")
    page.keyboard.press("Enter")
    page.wait_for_url("**/endpoint?*")
    window.settled()
    assert asked(page)["name"] == "POST /quote"

    page.keyboard.press("/")
    page.keyboard.type(trace)
    expect(page.locator("#search-hits [aria-selected=true]")).to_contain_text("trace id")
    page.keyboard.press("Enter")
    page.wait_for_url("**/trace?*")
    assert asked(page)["id"] == trace


def test_escape_leaves_the_search(window: Window) -> None:
    page = window.open("endpoints?range=24h")
    page.keyboard.press("/")
    page.keyboard.type("que")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement === document.body")
    expect(page.locator("#search-hits")).to_be_hidden()


def test_help_opens_and_closes(window: Window) -> None:
    page = window.open("endpoints?range=24h")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys and figures")
    expect(dialog).to_be_visible()
    assert window.faults() == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_every_key_in_help_has_its_test(window: Window) -> None:
    page = window.open("endpoints?range=24h")
    page.keyboard.press("?")
    keys = page.locator("dialog dt").all_inner_texts()
    assert {"".join(text.split()) for text in keys} == {
        "/", *(f"g{key}" for key in PAGES), "t", "s", "d", "jk↓↑", "Enter", "x", "Space", "←→", "Shift←↑↓→", "[]", "f",
        "y", "e", "c", "Esc", "?",
    }  # fmt: skip


def test_theme_and_range(window: Window) -> None:
    page = window.open("endpoints?range=24h")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.keyboard.press("d")
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    window.settled()
    for wanted in ("7d", "15m", "1h"):
        page.keyboard.press("t")
        assert asked(page)["range"] == wanted


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_known_before_the_first_paint(
    visit: Callable[..., Window], mounted: Callable[[str], str], theme: str
) -> None:
    window = visit(mounted("alone"), color_scheme=theme)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    window.page.route("**/static/app-*.js", hold)
    window.page.goto(f"{window.mount}endpoints?range=24h", wait_until="commit")
    window.page.wait_for_selector("#app", state="attached")
    assert window.page.locator("html").get_attribute("data-theme") == theme
    # A browser paints nothing before the stylesheet that the page's head names has come.
    window.page.wait_for_function("() => document.querySelector('link[rel=stylesheet]').sheet")
    red = window.page.evaluate("Number(/\\d+/.exec(getComputedStyle(document.body).backgroundColor)[0])")
    assert (red < 60) == (theme == "dark"), "painted so before a line of the application has run"
    window.page.wait_for_function("() => document.readyState !== 'loading'")
    held[0].continue_()
    window.settled()


def test_walk_a_table_and_open_a_row(window: Window) -> None:
    page = window.open("endpoints?range=24h")
    page.keyboard.press("j")
    assert focused_row(page) == 0
    last = page.locator("tr[data-row]").count() - 1
    walk = ("ArrowDown", 1), ("j", 2), ("k", 1), ("ArrowUp", 0), ("ArrowUp", 0), ("End", last), ("Home", 0)
    for key, row in walk:
        page.keyboard.press(key)
        page.wait_for_function("(row) => document.activeElement.dataset.row === String(row)", arg=row)
    name = page.locator("tr[data-row='0'] .route").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/endpoint?*")
    window.settled()
    assert asked(page)["name"].endswith(name)
    page.go_back()
    window.settled()
    assert page.locator("tr[data-row]").count() == last + 1


def test_sort_by_menu_and_by_header(window: Window) -> None:
    page = window.open("endpoints?range=24h")
    page.keyboard.press("s")
    assert page.evaluate("document.activeElement.textContent") == "Costliest"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert asked(page)["sort"] == "p95"
    window.settled()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("p95")
    page.locator("th[aria-sort] button").press("Enter")
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("p95")
    assert asked(page)["dir"] == "asc"


def test_walk_the_timeline(window: Window, trace: str) -> None:
    page = window.open(f"trace?id={trace}")
    marked = page.locator("[role=row][aria-selected=true]")
    expect(marked).to_contain_text("×43")
    expect(marked).to_have_attribute("aria-expanded", "false")
    rows = page.locator("[role=row]")
    before = rows.count()
    page.keyboard.press("j")  # into the timeline
    expect(marked).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(marked).to_have_attribute("aria-expanded", "true")
    assert rows.count() == before + 43
    page.keyboard.press("ArrowRight")
    expect(marked).to_have_attribute("aria-level", "3")
    page.keyboard.press("ArrowLeft")
    expect(marked).to_contain_text("×43")
    page.keyboard.press("ArrowLeft")
    expect(marked).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Home")
    expect(marked).to_have_attribute("aria-level", "1")
    expect(page.locator(".detail")).to_contain_text("Whole transaction")
    assert window.faults() == []


def test_slower_and_faster_traces(window: Window, trace: str) -> None:
    page = window.open(f"trace?id={trace}")
    page.keyboard.press("]")
    page.wait_for_function("(id) => !location.search.includes(id)", arg=trace)
    window.settled()
    faster = asked(page)["id"]
    page.keyboard.press("[")
    page.wait_for_function("(id) => location.search.includes(id)", arg=trace)
    window.settled()
    assert faster != trace
    page.go_back()
    page.wait_for_function("(id) => location.search.includes(id)", arg=faster)
    window.settled()


def test_copy_the_place_of_the_marked_span(
    visit: Callable[..., Window], mounted: Callable[[str], str], trace: str
) -> None:
    window = visit(mounted("alone"), permissions=["clipboard-read", "clipboard-write"])
    page = window.open(f"trace?id={trace}")
    page.keyboard.press("y")
    page.wait_for_function("async () => /shop\\.py:8$/.test(await navigator.clipboard.readText())")


def test_search_the_flame_graph(window: Window, trace: str) -> None:
    page = window.open(f"trace?id={trace}")
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.matches('[data-flame-search]')")
    page.keyboard.type("orders")
    expect(page.locator(".flame .chip")).to_contain_text("100.0% matched")
    page.keyboard.press("Escape")
    page.locator(".flame canvas").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".flame [aria-live]")).to_contain_text("total")


def test_deep_links_survive_a_reload(window: Window) -> None:
    page = window.open("endpoints?range=24h")
    everything = page.locator("tr[data-row]").count()
    page.get_by_role("button", name="Slowest").click()
    page.locator("label.search input[type=search]").fill("or")
    page.wait_for_function("() => location.search.includes('q=or')")
    window.settled()
    address, shown = page.url, page.locator("tr[data-row]").all_inner_texts()
    assert 0 < len(shown) < everything
    page.reload()
    window.settled()
    assert page.url == address
    assert page.locator("tr[data-row]").all_inner_texts() == shown
    assert page.locator("label.search input[type=search]").input_value() == "or"
