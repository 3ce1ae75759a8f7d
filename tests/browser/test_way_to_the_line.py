"""From a slow endpoint to the line that was planted, with a mouse, on what a real server recorded."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api import ask_until
from chromium import Window
from mounts import flask
from servers import EXAMPLES

pytestmark = [pytest.mark.browser, pytest.mark.server]

CALLS = {"/orders": 12, "/products/3/price": 10, "/": 8, "/checkout/42": 1}


def planted(kind: str) -> int:
    """The line of the shop with a planted fault of this kind."""
    lines = (EXAMPLES / "shop.py").read_text().splitlines()
    return next(number for number, text in enumerate(lines, 1) if f"# planted: {kind}" in text)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard inside the example shop, which was called and recorded itself."""
    folder = tmp_path_factory.mktemp("shop")
    with flask(f"sqlite:///{folder}/apm.db", folder) as mount:
        root = mount.removesuffix("apm/").rstrip("/")
        for path, times in CALLS.items():
            for _ in range(times):
                try:
                    urllib.request.urlopen(root + path, timeout=20).read()
                except urllib.error.HTTPError:
                    assert path.startswith("/checkout")
        found = ask_until(
            mount.rstrip("/"), "endpoints", lambda answer: answer["total"]["count"] >= sum(CALLS.values())
        )
        assert {row["name"] for row in found["endpoints"]} >= {"GET /orders", "GET /"}
        yield mount


@pytest.mark.parametrize(
    ("route", "kind"), [("/orders", "repeated_query"), ("/products/<int:product_id>/price", "hot_line")]
)
def test_from_the_endpoint_to_the_source_line(
    visit: Callable[..., Window], shop: str, route: str, kind: str
) -> None:
    place = f"shop.py:{planted(kind)}"
    window = visit(shop)
    page = window.open("endpoints?range=15m")

    row = page.locator("tr[data-row]", has_text=route).first
    assert place in row.inner_text()
    row.locator("td").nth(1).click()
    page.wait_for_url("**/endpoint?*")
    window.settled()
    assert page.locator("h1").inner_text().split()[:2] == ["GET", route]
    assert place in page.locator("#insights").inner_text()
    if kind == "hot_line":  # for the repeats, where samples fall is chance: each query is short
        assert page.locator("#source .line.hot .no", has_text=str(planted(kind))).count()

    page.locator("#insights li", has_text=place).get_by_role("link", name="Open a trace").first.click()
    page.wait_for_url("**/trace?*")
    window.settled()
    if kind == "repeated_query":  # the repeats are folded, marked, and lead to the line that asked
        assert "150 identical" in page.locator(".detail .chip").inner_text()
        hot = page.locator(".detail .line.hot")
        assert hot.locator(".no").inner_text() == str(planted(kind))
        assert f"# planted: {kind}" in hot.inner_text()
    else:
        assert place in page.locator("#main .insights").inner_text()
        assert f"# planted: {kind}" in page.locator("#main .sourceline").first.inner_text()
        # The function as source, and then as the bytecode of it, each with the time beside its lines.
        source = page.locator("#source .block").first
        assert source.locator(".line.hot .no", has_text=str(planted(kind))).count()
        source.get_by_role("button", name="Bytecode").click()
        source.locator("pre[aria-label^='Bytecode']").wait_for()
        text = source.inner_text()
        assert "Compiled by Python" in text
        assert any(name in text for name in ("RETURN_VALUE", "RETURN_CONST"))
        assert source.locator(".line.hot .no", has_text=str(planted(kind))).count()


def test_a_failure_is_told_with_its_line(visit: Callable[..., Window], shop: str) -> None:
    window = visit(shop)
    page = window.open("traces?range=15m&failed=1")
    page.locator("tr[data-row]").first.click()
    page.wait_for_url("**/trace?*")
    window.settled()
    raised = page.locator(".raised")
    assert f"shop.py:{planted('failure')}" in raised.inner_text()
    assert page.locator("h1 .chip.bad").count() == 1


def test_every_export_of_a_trace_is_a_file(visit: Callable[..., Window], shop: str, tmp_path: Path) -> None:
    window = visit(shop)
    page = window.open("traces?range=15m&kept=1")
    page.locator("tr[data-row]").first.click()
    page.wait_for_url("**/trace?*")
    window.settled()
    page.get_by_text("Export").click()
    for name in ("speedscope", "chrome", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile(f"^{name}")).click()
        path = tmp_path / name
        download.value.save_as(path)
        assert path.stat().st_size > 20
