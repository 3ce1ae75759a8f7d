"""Chromium as tests drive it: every window notes what a page must never do, and answers to axe."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

NAMES = ("chromium", "chromium-browser", "google-chrome")
CURE = "no Chromium here; cure: apt-get install chromium"
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--no-first-run",
]  # fmt: skip

_PATIENCE_MS = 30_000
expect.set_options(timeout=_PATIENCE_MS)

#: Of the rules every page keeps; all of them, so that none has to be named here.
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")

#: A refused style or script is an event of the document; some refusals never reach the console.
_WATCH_POLICY = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`policy: ${event.violatedDirective} refused ${event.blockedURI} ${event.sample}`));
"""

_ASK_AXE = """
async (tags) => {
  const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ['violations'], preload: false });
  return violations.map(({ id, help, nodes }) =>
    `${id}: ${help}; ${nodes.length} times, first ${nodes[0].target.join(' ')} ${nodes[0].html.slice(0, 200)}`);
}
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips the test that asks for it where there is none (CI turns that into a failure)."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(CURE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """One tab below one mount; whatever it complains of fails the test, unless the test awaits it."""

    def __init__(self, browser: Browser, mount: str, **options: Any) -> None:
        self.mount = mount
        self.complaints: list[str] = []
        options.setdefault("viewport", {"width": 1440, "height": 900})
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(_PATIENCE_MS)
        self.context.add_init_script(_WATCH_POLICY)
        self.context.on("console", self._console)
        self.context.on("weberror", lambda error: self.complaints.append(f"page error: {error.error}"))
        self.context.on("request", self._request)
        self.context.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))
        self.page: Page = self.context.new_page()

    def open(self, address: str) -> Page:
        """A page of the mount, drawn and with nothing left to wait for."""
        self.page.goto(self.mount + address)
        return self.settled()

    def settled(self) -> Page:
        """The page once it waits for nothing more."""
        self.page.wait_for_selector("html[data-ready]", state="attached")
        return self.page

    def width(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})

    def faults(self) -> list[str]:
        """Where the page breaks the rules of accessibility or is wider than its window."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(_AXE)
        found: list[str] = self.page.evaluate(_ASK_AXE, AXE_TAGS)
        return [*found, *self.too_wide()]

    def too_wide(self) -> list[str]:
        """By how much the page is wider than its window, if it is."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return [f"{wide} px wider than the window"] if wide > 0 else []

    def expect(self, pattern: str) -> None:
        """Take back the complaints that the test brought about, of which there must be some."""
        kept = [complaint for complaint in self.complaints if not re.search(pattern, complaint)]
        assert kept != self.complaints, f"no complaint matches {pattern!r}: {self.complaints}"
        self.complaints[:] = kept

    def close(self) -> None:
        self.context.close()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location
            self.complaints.append(f"console: {message.text} ({where.get('url', '')})")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.mount, "data:", "blob:")):
            self.complaints.append(f"outside of {self.mount}: {request.url}")


@contextmanager
def visiting(browser: Browser) -> Iterator[Callable[..., Window]]:
    """New windows below an address; `AssertionError` at the end when one of them complained."""
    opened: list[Window] = []

    def window(address: str, **options: Any) -> Window:
        opened.append(Window(browser, address, **options))
        return opened[-1]

    yield window
    complaints = [complaint for each in opened for complaint in each.complaints]
    for each in opened:
        each.close()
    assert not complaints, complaints
