"""Stores to look at, servers that show them, and windows that fail a test when a page complains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from apm_agent.web.app import dashboard
from chromium import Window, chromium, visiting
from make_store import make
from mounts import MOUNTS, TOKEN, WITH_TOKEN
from running import served


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store of a made-up day that ends now."""
    path = tmp_path_factory.mktemp("day") / "apm.db"
    make(path, 3000)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def mounted(day: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The address of a mount by name, its servers started when first asked for."""
    started: dict[str, str] = {}
    with ExitStack() as stack:

        def start(name: str) -> str:
            if name not in started:
                folder = tmp_path_factory.mktemp(name)
                started[name] = stack.enter_context(MOUNTS[name](day, folder))
            return started[name]

        yield start


# A module's own, because Playwright keeps an event loop in this thread, which async tests elsewhere cannot bear.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def windows(browser: Browser, mounted: Callable[[str], str]) -> Iterator[Callable[..., Window]]:
    """A window of a mount; one for each choice of colours, so that its cache and its token stay."""
    opened: dict[tuple[str, str], Window] = {}

    def window(mount: str, theme: str = "light") -> Window:
        key = (mount, theme)
        if key not in opened:
            opened[key] = Window(browser, mounted(mount), color_scheme=theme)
            if mount in WITH_TOKEN:
                opened[key].open(f"?token={TOKEN}")
        return opened[key]

    yield window
    for each in opened.values():
        each.close()


@pytest.fixture
def shared(windows: Callable[..., Window]) -> Iterator[Callable[..., Window]]:
    """As `windows`; the test fails when one of them complained."""
    used: list[Window] = []

    def window(mount: str, theme: str = "light") -> Window:
        used.append(windows(mount, theme))
        used[-1].complaints.clear()
        return used[-1]

    yield window
    assert [complaint for each in used for complaint in each.complaints] == []


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Window]]:
    """New windows below an address; the test fails when one of them complained."""
    with visiting(browser) as window:
        yield window


@pytest.fixture
def show() -> Iterator[Callable[[Path | str], str]]:
    """The address of a dashboard of any store, served from here."""
    with ExitStack() as stack:

        def start(store: Path | str) -> str:
            url = store if "://" in str(store) else f"sqlite:///{store}"
            server = stack.enter_context(served(dashboard(str(url))))
            return server.url

        yield start
