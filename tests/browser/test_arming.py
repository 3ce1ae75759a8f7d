"""Measuring on demand of a real app, from the page that arms it to what was measured; every refusal in words."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from api import ask
from apm_agent.queries.arms import arm
from apm_agent.queries.connection import connect
from chromium import Window
from servers import EXAMPLES, PYTHON, Program, environment, free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.server]

PRICE = "GET /products/<int:product_id>/price"
KEEPS = "GET /recommended"


class App:
    """The example shop as one process, and the store it writes."""

    def __init__(self, program: Program, store: Path) -> None:
        self.program, self.store = program, store

    def call(self, path: str, times: int = 1) -> None:
        for _ in range(times):
            with urllib.request.urlopen(self.program.url + path, timeout=30) as answer:
                answer.read()

    def call_until_done(self, path: str, site: str, name: str) -> None:
        """What was armed is taken up within a second or two of traffic."""
        for _ in range(300):
            self.call(path)
            if all(arm["state"] == "done" for arm in ask(site.rstrip("/"), "arms", name=name)["arms"]):
                return
        raise AssertionError(self.program.output)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("armed")
    port = free_port()
    command = [
        PYTHON, "-m", "apm_agent", "run", PYTHON, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "2",
        "--bind", f"127.0.0.1:{port}", "shop:app",
    ]  # fmt: skip
    store = folder / "apm.db"
    env = environment(
        APM_AGENT_STORE=f"sqlite:///{store}", APM_AGENT_SERVICE="shop", APM_AGENT_FLUSH_INTERVAL="0.1",
        EXAMPLE_DATA=str(folder),
    )  # fmt: skip
    with running(command, port=port, env=env, cwd=EXAMPLES) as program:
        started = App(program, store)
        started.call("/products/1/price", 3)
        started.call("/recommended", 3)
        yield started


def test_armed_picked_up_done_and_walked(
    visit: Callable[..., Window], show: Callable[[Path | str], str], app: App
) -> None:
    site = show(app.store)
    window = visit(site)
    page = window.open(f"endpoint?name={quote(PRICE)}&range=1h")
    panel = page.locator("#closer")
    expect(panel).to_contain_text("Nothing was measured on demand in this range")
    # by keyboard alone, from the count to the button
    panel.get_by_role("spinbutton", name="How many requests").fill("2")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("status").first).to_have_text("Armed: cProfile of the next 2 requests.")
    arm = panel.get_by_role("list", name="What is armed").locator("li").first
    expect(arm).to_contain_text("0 of 2 measured")
    expect(arm).to_contain_text("armed, waits for traffic")
    app.call_until_done("/products/1/price", site, PRICE)
    expect(arm).to_contain_text("done")
    expect(arm).to_contain_text("2 of 2 measured")
    expect(panel).to_contain_text("Summed over 2 transactions:")
    functions = panel.get_by_role("group", name="Functions by time")
    functions.get_by_role("button", name="price shop.py").first.click()
    around = panel.get_by_role("region", name="Callers and callees of price")
    expect(around).to_contain_text("Called by 1")
    around.get_by_role("button", name="product_price shop.py").click()
    expect(panel.get_by_role("region", name="Callers and callees of product_price")).to_contain_text(
        "2 calls"
    )
    assert window.faults() == []
    panel.locator("a.chip").first.click()
    page.wait_for_url("**/trace?*")
    window.settled()
    called = page.locator("#captures").get_by_role("region", name="Callers and callees of")
    expect(called).to_contain_text("Called by")
    assert window.faults() == []
    page.get_by_role("link", name="All that was measured of this endpoint").click()
    page.wait_for_url("**/endpoint?*#closer")
    expect(page.locator("#closer")).to_be_in_viewport()


def test_memory_is_measured_and_shown_in_place(
    visit: Callable[..., Window], show: Callable[[Path | str], str], app: App
) -> None:
    site = show(app.store)
    window = visit(site, color_scheme="dark")
    page = window.open("memory?range=1h")
    page.get_by_role("button", name=f"Measure {KEEPS}", exact=True).click()
    expect(page.get_by_label("Endpoint to measure")).to_be_focused()
    expect(page.get_by_label("Endpoint to measure")).to_have_value(KEEPS)
    panel = page.locator("#capture")
    panel.get_by_role("spinbutton", name="How many requests").fill("1")
    panel.get_by_role("button", name="Arm", exact=True).click()
    arm = panel.get_by_role("list", name="What is armed").locator("li").first
    expect(arm).to_contain_text("Memory")
    app.call_until_done("/recommended", site, KEEPS)
    expect(panel).to_contain_text("Of one transaction:")
    expect(panel.get_by_role("group", name="Memory kept by line")).to_contain_text("shop.py:107")
    expect(panel.get_by_role("group", name="Growth by type")).to_be_visible()
    assert window.faults() == []
    panel.locator("a.chip").first.click()
    page.wait_for_url("**/trace?*")
    window.settled()
    expect(page.locator("#captures")).to_contain_text("Objects looked at")
    assert window.faults() == []


def test_what_expired_unused_says_so(
    visit: Callable[..., Window], show: Callable[[Path | str], str], app: App
) -> None:
    site = show(app.store)
    window = visit(site)
    with connect(f"sqlite:///{app.store}") as connection:
        arm(connection, PRICE, "cprofile", 77, life=6.0)  # the page offers no life so short
    page = window.open(f"endpoint?name={quote(PRICE)}&range=1h")
    row = (
        page.locator("#closer")
        .get_by_role("list", name="What is armed")
        .locator("li", has_text="of 77 measured")
    )
    expect(row).to_contain_text("gives up in")
    expect(row.locator(".chip", has_text="expired")).to_be_visible(timeout=30_000)
    expect(row).to_contain_text("0 of 77 measured")
    expect(row.get_by_role("button", name="Cancel")).to_have_count(0)
    assert window.faults() == []


def test_cancelled_and_refused_in_words(
    visit: Callable[..., Window], show: Callable[[Path | str], str], app: App
) -> None:
    site = show(app.store)
    window = visit(site)
    page = window.open(f"endpoint?name={quote(PRICE)}&range=1h")
    panel = page.locator("#closer")
    count = panel.get_by_role("spinbutton", name="How many requests")
    count.fill("101")
    count.evaluate("field => field.form.noValidate = true")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("alert")).to_have_text("101 is not a whole number from 1 to 100.")
    count.fill("100")
    panel.get_by_role("button", name="Memory", exact=True).click()
    panel.get_by_label("Give up after").select_option("1 hour")
    panel.get_by_role("button", name="Arm", exact=True).click()
    arm = panel.get_by_role("list", name="What is armed").locator("li", has_text="of 100 measured")
    expect(arm).to_contain_text("0 of 100 measured")
    expect(panel.get_by_role("alert")).to_have_count(0)
    arm.get_by_role("button", name="Cancel").click()
    expect(arm).to_contain_text("cancelled")
    assert [
        arm["capture"] for arm in ask(site.rstrip("/"), "arms", name=PRICE)["arms"] if arm["count"] == 100
    ] == []
