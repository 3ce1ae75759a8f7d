"""Every page in every mount, in both themes and three widths: drawn, silent, accessible, no wider than the window.

How the matrix is covered: the three pages of the way to the slow line (Endpoints, Endpoint, Trace) are opened and
put before axe in all combinations of four mounts, two themes and three widths. The others, which are the
same code in the same frame, go through all themes and widths once, and once through each mount. Behind proxies,
where only addresses differ, every page is opened once.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from api import ask
from chromium import Window
from mounts import OUTER, TOKEN, WITH_TOKEN

pytestmark = [pytest.mark.browser, pytest.mark.server]

FULL_MOUNTS = ("alone", "flask", "fastapi", "django")
THEMES = ("light", "dark")
WIDTHS = (430, 1024, 1440)
SLOW = "GET /orders"


@pytest.fixture(scope="session")
def pages(mounted: Callable[[str], str]) -> dict[str, str]:
    """Page → its address in the made-up day, relative to a mount."""
    slow = ask(mounted("alone").rstrip("/"), "traces", name=SLOW, kept="1", range="24h")["traces"][0]
    costly = ask(mounted("alone").rstrip("/"), "queries", range="24h")["queries"][0]
    return {
        "endpoints": "endpoints?range=24h",
        "endpoint": f"endpoint?name={quote(SLOW)}&range=24h",
        "trace": f"trace?id={slow['id']}",
        "traces": "traces?range=24h&rows=25",  # axe needs its time for each row, and all are alike
        "queries": "queries?range=24h",
        "query": f"query?id={costly['id']}&range=24h",
        "health": "health",
    }


def faults_of(window: Window, page: str, address: str, theme: str, widths: tuple[int, ...]) -> list[str]:
    """What is wrong with a page at these widths, each opened anew."""
    found = []
    for width in widths:
        window.width(width)
        drawn = window.open(address)
        root = drawn.locator("html")
        assert root.get_attribute("data-page") == page
        assert root.get_attribute("data-theme") == theme
        found += [f"{width} px: {fault}" for fault in window.faults()]
        assert drawn.locator("main .panel").count() > 0
        assert drawn.locator("main .failure").count() == 0, drawn.locator("main .failure").all_inner_texts()
    return found


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("mount", FULL_MOUNTS)
@pytest.mark.parametrize("page", ["endpoints", "endpoint", "trace"])
def test_the_three_pages(
    shared: Callable[..., Window], pages: dict[str, str], mount: str, theme: str, page: str
) -> None:
    assert faults_of(shared(mount, theme), page, pages[page], theme, WIDTHS) == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("page", ["traces", "queries", "query", "health"])
def test_the_other_pages(shared: Callable[..., Window], pages: dict[str, str], theme: str, page: str) -> None:
    assert faults_of(shared("alone", theme), page, pages[page], theme, WIDTHS) == []


@pytest.mark.parametrize("mount", FULL_MOUNTS[1:])
def test_the_other_pages_in_each_mount(
    shared: Callable[..., Window], pages: dict[str, str], mount: str
) -> None:
    for page in ("traces", "queries", "query", "health"):
        assert faults_of(shared(mount, "light"), page, pages[page], "light", (1440,)) == []


@pytest.mark.parametrize("mount", WITH_TOKEN)
def test_behind_a_proxy_that_strips_a_prefix(
    shared: Callable[..., Window], pages: dict[str, str], mount: str
) -> None:
    """The token was shown once, at the first address; a cookie of the mount's folder remembers it."""
    window = shared(mount)
    cookies = window.context.cookies()
    assert [cookie["path"] for cookie in cookies] == [window.mount.split("/", 3)[3].join("//")[:-2]]
    assert TOKEN not in str(cookies)
    for page, address in pages.items():
        assert faults_of(window, page, address, "light", (1440,)) == []
        assert TOKEN not in window.page.url


def test_behind_a_proxy_nobody_comes_in_without_the_token(
    visit: Callable[..., Window], mounted: Callable[[str], str]
) -> None:
    window = visit(mounted("proxied"))
    for address in ("", "endpoints", "trace?id=1", "static/../health"):
        answer = window.page.goto(window.mount + address)
        assert answer is not None
        assert answer.status == 403
        assert "closed to you" in window.page.inner_text("h1")
        assert "?token=THE-TOKEN" in window.page.inner_text("main")
    assert window.faults() == []
    window.expect("console: Failed to load resource.*403")
    assert OUTER in window.page.url


def test_a_page_there_is_not(visit: Callable[..., Window], mounted: Callable[[str], str]) -> None:
    window = visit(mounted("alone"))
    window.page.goto(f"{window.mount}no-such-page")
    assert "no-such-page" in window.page.inner_text("main")
    assert window.faults() == []
    window.expect("console: Failed to load resource.*404")
