"""The badge in a page of an application: what it says, where it leads, and that it goes away when told to."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from chromium import Window
from servers import ROOT, environment, free_port, gunicorn, running

SITES = Path(__file__).parents[1] / "integrations" / "sites"

pytestmark = [pytest.mark.browser, pytest.mark.server]


def test_from_a_page_of_the_app_to_its_trace(visit: Callable[..., Window], tmp_path: Path) -> None:
    """Under a policy that allows the page's own scripts and no inline style."""
    port = free_port()
    settings = {"developer": True, "dashboard_path": "/apm", "flush_interval": 0.05, "service": "pages"}
    env = environment(
        PYTHONPATH=os.pathsep.join((str(SITES), str(ROOT))),
        SITE_APP="flasks",
        SITE_SETTINGS=json.dumps(settings),
    )
    with running(gunicorn("pages:app", port), port=port, env=env, cwd=tmp_path) as program:
        window = visit(f"{program.url}/")
        page = window.page
        page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        page.goto(f"{window.mount}own-script")
        badge = page.locator("apm-agent-badge")
        link = badge.get_by_role("link")
        expect(link).to_have_text(re.compile(r"^[0-9.]+ (ms|s), 3 queries$"))
        assert re.fullmatch(
            r".*db [0-9.]+ ms.*Open the trace of this page", link.get_attribute("title") or ""
        )
        assert page.evaluate(
            "performance.getEntriesByType('navigation')[0].serverTiming.map((one) => one.name)"
        )[:2] == ["app", "db"]
        box = badge.bounding_box()
        assert box is not None
        assert box["x"] > 1000
        assert box["y"] > 800
        with page.expect_popup() as opened:
            link.click()
        trace = opened.value
        trace.wait_for_selector("html[data-ready]", state="attached")
        if trace.get_by_role("button", name="Try again").count():  # it was not written yet
            window.expect("404")
            trace.get_by_role("button", name="Try again").click()
        expect(trace.locator("h1")).to_contain_text("/<name>")
        trace.close()
        badge.get_by_role("button", name="Hide").click()
        expect(badge).to_have_count(0)
        page.goto(f"{window.mount}strict")
        assert page.locator("script").count() == 0
