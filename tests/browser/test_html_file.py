"""A page as one file, opened from the disk: the same page, nothing asked of anybody, nothing to complain of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from api import ask
from apm_agent.web.app import dashboard
from chromium import Window
from hostile import HOSTILE, hostile_store
from make_store import make
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]

#: Page → the panels that must say the same in the file.
PANELS = {
    "trace": ("#timeline", "#flame", "#source"),
    "endpoint": ("#insights", "#hot", "#source", "#flame", "#slow"),
    "compare": (".kpis",),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("saved") / "apm.db"
    make(path, 800)
    with served(dashboard(f"sqlite:///{path}")) as server:
        yield server.url


@pytest.fixture(scope="module")
def online(browser: Browser, shop: str) -> Iterator[Window]:
    window = Window(browser, shop)
    yield window
    window.close()


def addresses(mount: str) -> dict[str, str]:
    traces = ask(mount.rstrip("/"), "traces", range="24h", name="POST /quote", kept="1")["traces"]
    return {
        "trace": f"trace?id={traces[0]['id']}",
        "endpoint": f"endpoint?name={quote('POST /quote')}&range=24h",
        "compare": "compare?a=before:6h&b=range:6h",
    }


def save(page: Page, folder: Path) -> Path:
    """The page as one file, by its own button."""
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="This page as one file").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def from_disk(visit: Callable[..., Window], path: Path, **options: object) -> tuple[Window, list[str]]:
    """A window that opened the file without a network, and what it asked for."""
    window = visit(path.as_uri(), offline=True, **options)
    asked: list[str] = []
    window.page.on("request", lambda request: asked.append(request.url))
    window.page.goto(path.as_uri())
    window.settled()
    return window, [url for url in asked if not url.startswith("data:")]


@pytest.mark.parametrize("name", PANELS)
def test_the_file_draws_the_same_page(
    online: Window, visit: Callable[..., Window], shop: str, name: str, tmp_path: Path
) -> None:
    page = online.open(addresses(shop)[name])
    shown = {panel: page.locator(panel).first.inner_text() for panel in PANELS[name]}
    title = page.locator("h1").inner_text()
    path = save(page, tmp_path)
    window, asked = from_disk(visit, path)
    assert asked == [path.as_uri()]
    offline = window.page
    assert offline.locator("h1").inner_text() == title
    for panel, text in shown.items():
        assert offline.locator(panel).first.inner_text() == text, panel
    assert offline.locator(".failure").count() == 0
    assert offline.locator("a[href]").evaluate_all("(all) => all.map((a) => a.getAttribute('href'))") == [
        "#main"
    ]
    size = f"{path.stat().st_size / 1024:.0f} kB"
    expect(offline.locator("header")).to_contain_text(f"saved by apm-agent 0.1.0 in {size}")
    assert window.faults() == []
    before = offline.evaluate("getComputedStyle(document.body).backgroundColor")
    offline.keyboard.press("d")
    assert offline.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert offline.locator("select, :disabled").count() == 0, "there is nothing to choose in a file"
    if name == "compare":
        expect(offline.locator(".meta")).to_contain_text(
            re.compile("before.* calls of the 6h before, .* of last 6h, ")
        )
    for width in (430, 1024):
        window.width(width)
        assert window.too_wide() == []
    assert online.complaints == []


def test_the_file_can_be_worked_with(
    online: Window, visit: Callable[..., Window], shop: str, tmp_path: Path
) -> None:
    page = online.open(addresses(shop)["trace"])
    window, asked = from_disk(visit, save(page, tmp_path), color_scheme="dark")
    offline = window.page
    offline.locator("#source").get_by_role("button", name="Bytecode").click()
    expect(offline.locator("pre[aria-label='Bytecode of price']")).to_be_visible()
    offline.keyboard.press("f")
    offline.keyboard.type("price")
    expect(offline.locator("#flame")).to_contain_text("%")
    offline.keyboard.press("Escape")
    offline.keyboard.press("[")  # there is no slower trace in it
    offline.locator(".meta").get_by_text("shop:quote").click()
    expect(offline.locator("h1")).to_contain_text("/quote")
    assert len(asked) == 1
    page = online.open(addresses(shop)["endpoint"])
    window, asked = from_disk(visit, save(page, tmp_path))
    offline = window.page
    offline.get_by_role("button", name="CPU", exact=True).click()
    expect(offline.locator("#flame")).to_contain_text("Not known of")
    assert offline.locator(".failure").count() == 0
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["markup", "bidi"])
def test_r39_hostile_names_do_nothing_in_a_file(
    browser: Browser, visit: Callable[..., Window], name: str, tmp_path: Path
) -> None:
    text = HOSTILE[name] + "</script><script>window.owned=1</script><!--<script>"
    with served(dashboard(f"sqlite:///{hostile_store(tmp_path / 'apm.db', text)}")) as server:
        mount = server.url
        base = mount.rstrip("/")
        row = ask(base, "endpoints")["endpoints"][0]
        trace = ask(base, "traces")["traces"][0]["id"]
        window = visit(mount)
        for address in (f"trace?id={trace}", f"endpoint?name={quote(row['name'])}&range=15m"):
            page = window.open(address)
            here = page.evaluate("document.querySelector('h1').innerText")
            saved, asked = from_disk(visit, save(page, tmp_path))
            assert saved.page.evaluate("window.owned") is None
            assert saved.page.evaluate("document.querySelector('h1').innerText") == here
            assert saved.page.locator("#main script, #main iframe, #main img").count() == 0
            assert len(asked) == 1
