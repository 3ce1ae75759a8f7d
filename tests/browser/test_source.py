"""Source in place: who wrote a line, and what is said where the file is not what ran, or not the application's."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from api import ask
from apm_agent.web.app import dashboard
from chromium import Window
from make_store import make
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]

SUBJECT = "Price <img src=x onerror=window.owned=1> \u202egnp"
ENDPOINT = f"endpoint?name={quote('POST /quote')}&range=24h"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The folder of a shop, with a store of its day beside it."""
    make(tmp_path / "apm.db", 120)
    return tmp_path / "shop"


@pytest.fixture
def window(browser: Browser, shop: Path) -> Iterator[Window]:
    with served(dashboard(f"sqlite:///{shop.parent}/apm.db")) as server:
        opened = Window(browser, server.url)
        yield opened
        opened.close()
    assert opened.complaints == []


def committed(shop: Path) -> None:
    times = os.stat(shop / "shop.py")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", SUBJECT]):
        subprocess.run(
            ["git", "-c", "user.name=Ann &amp; Co", "-c", "user.email=a@example.com", *arguments],
            cwd=shop,
            check=True,
        )
    os.utime(shop / "shop.py", ns=(times.st_atime_ns, times.st_mtime_ns))


def trace_of(window: Window) -> str:
    found = ask(window.mount.rstrip("/"), "traces", range="24h", name="POST /quote", kept="1")
    return f"trace?id={found['traces'][0]['id']}"


def test_who_wrote_a_hot_line_is_told_on_a_click(window: Window, shop: Path) -> None:
    committed(shop)
    for address in (trace_of(window), ENDPOINT):
        page = window.open(address)
        assert page.locator(".blamed").count() == 0
        button = page.locator("#source").get_by_role("button", name="Who wrote line 16 of shop.py")
        button.focus()
        page.keyboard.press("Enter")
        told = page.locator("#source .blamed")
        expect(told).to_contain_text("Price <img src=x onerror=window.owned=1> \ufffdgnp")
        expect(told.locator("b")).to_have_text("Ann &amp; Co")
        head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=shop, text=True)
        expect(told.locator("code")).to_have_text(head[:12])
        assert page.evaluate("window.owned") is None
        assert window.faults() == []
        page.keyboard.press("Enter")
        expect(page.locator(".blamed")).to_have_count(0)
    window.width(430)
    page.locator("#insights .act").first.click()
    expect(page.locator("#insights .blamed")).to_contain_text("Price")
    assert window.too_wide() == []


def test_where_there_is_no_repository_it_is_said(window: Window) -> None:
    page = window.open(ENDPOINT)
    page.locator("#hot .act").first.click()
    expect(page.locator("#hot .blamed")).to_have_text("Not known: shop.py is in no git repository.")


def test_the_setting_blame_takes_the_button_away(visit: Callable[..., Window], shop: Path) -> None:
    with served(dashboard(f"sqlite:///{shop.parent}/apm.db", blame=False)) as server:
        page = visit(server.url).open(ENDPOINT)
        expect(page.locator("#source .place").first).to_be_visible()
        assert page.locator(".act").count() == 0


def test_a_file_that_changed_is_marked_and_not_shown(window: Window, shop: Path) -> None:
    (shop / "shop.py").write_text("SECRET = 'not what ran'\n" * 50)
    page = window.open(ENDPOINT)
    expect(page.locator("#hot .stale-line").first).to_have_text("the file has changed since")
    expect(page.locator("#insights .stale-line").first).to_be_visible()
    expect(page.locator("#source")).to_contain_text("have changed since these samples were taken")
    assert "not what ran" not in page.locator("#main").inner_text()
    page.locator("#hot .act").first.click()
    expect(page.locator("#hot .blamed")).to_contain_text("shop.py has changed since this ran")
    page = window.open(trace_of(window))
    expect(page.locator("#main .insights .stale-line").first).to_be_visible()
    expect(page.locator("#source")).to_have_text(
        "Source" + "shop.py changed since this ran, so no line of it is shown."
    )
    assert "not what ran" not in page.locator("#main").inner_text()


def test_a_file_edited_within_the_range_is_marked(window: Window, shop: Path) -> None:
    noon = time.time() - 12 * 3600
    os.utime(shop / "shop.py", (noon, noon))
    page = window.open(ENDPOINT)
    expect(page.locator("#source .edited").first).to_contain_text("edited in this range")
    assert window.faults() == []


def test_r39_a_link_out_of_the_folder_is_not_followed(window: Window, shop: Path) -> None:
    outside = shop.parent / "outside.py"
    outside.write_text("SECRET = 'outside'\n" * 50)
    os.utime(outside, (0, 0))
    (shop / "shop.py").unlink()
    os.symlink(outside, shop / "shop.py")
    for address in (ENDPOINT, trace_of(window)):
        page = window.open(address)
        assert "'outside'" not in page.locator("#main").inner_text()
        assert page.locator("#source .line").count() == 0
    page.locator("#main .insights .act").first.click()
    expect(page.locator("#main .insights .blamed")).to_contain_text("cannot be read below the app's root")
