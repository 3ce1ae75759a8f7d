"""Every page in every mount, in both themes and three widths: drawn, silent, accessible, no wider than the window.

Each page is put before axe in both themes and all widths, alone. In the other mounts, where the same pages come
through other servers and addresses, each is opened once and its window made narrow; `tests/soak/pages.py` puts them
before axe there too.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from addresses import ADDRESSES, addresses
from apm_agent.web.static import FOLDER
from chromium import Window
from mounts import OUTER, TOKEN, WITH_TOKEN

pytestmark = [pytest.mark.browser, pytest.mark.server]

FULL_MOUNTS = ("alone", "flask", "fastapi", "django")
THEMES = ("light", "dark")
WIDTHS = (1440, 1024, 430)


@pytest.fixture(scope="session")
def pages(mounted: Callable[[str], str]) -> dict[str, str]:
    """Page → its address in the made-up day, relative to a mount."""
    return addresses(mounted("alone"))


def faults_of(window: Window, page: str, address: str, theme: str) -> list[str]:
    """What is wrong with a page at each width, opened anew and put before axe."""
    found = []
    for width in WIDTHS:
        window.width(width)
        check(window, page, address, theme)
        found += [f"{width} px: {fault}" for fault in window.faults()]
    return found


def check(window: Window, page: str, address: str, theme: str = "light") -> None:
    """Open a page: it is the one asked for, in the theme asked for, and nothing in it failed."""
    drawn = window.open(address)
    root = drawn.locator("html")
    assert root.get_attribute("data-page") == page
    assert root.get_attribute("data-theme") == theme
    assert drawn.locator("main .panel").count() > 0
    assert drawn.locator("main .failure").count() == 0, drawn.locator("main .failure").all_inner_texts()


def overflow_of(window: Window) -> list[str]:
    """At which widths the page as it stands is wider than its window."""
    found = []
    for width in WIDTHS:
        window.width(width)
        found += [f"{width} px: {fault}" for fault in window.too_wide()]
    window.width(WIDTHS[0])
    return found


def test_every_page_has_its_address_here() -> None:
    assert set(json.loads((FOLDER / "manifest.json").read_bytes())["pages"]) == set(ADDRESSES)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("page", ADDRESSES)
def test_a_page_in_both_themes_and_all_widths(
    shared: Callable[..., Window], pages: dict[str, str], theme: str, page: str
) -> None:
    assert faults_of(shared("alone", theme), page, pages[page], theme) == []


@pytest.mark.parametrize("mount", FULL_MOUNTS[1:])
def test_every_page_in_each_mount(shared: Callable[..., Window], pages: dict[str, str], mount: str) -> None:
    window = shared(mount)
    for page, address in pages.items():
        check(window, page, address)
        assert overflow_of(window) == [], page


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
        check(window, page, address)
        assert overflow_of(window) == [], page
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
