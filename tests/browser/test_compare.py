"""What changed, as a user asks it: from an endpoint, a trace or two marked rows, and by the pickers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api import ask
from apm_agent.model.profile import RUNNING, Frame
from apm_agent.model.record import Record, SampleRecord, SpanRecord
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from chromium import Window
from records import process, record
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]

MS = 1_000_000
VIEW = Frame("orders", "shop.py", 7, "app", "/srv/shop.py")
PRICE = Frame("price", "shop.py", 21, "app", "/srv/shop.py")
KEPT, OLD, NEW = "SELECT * FROM customer WHERE id = ?", "SELECT * FROM old", "SELECT * FROM tax WHERE id = ?"


def call(name: str, price: int, queries: list[str], **more: object) -> Record:
    """A call that takes 10 ms and `price` ms, sampled each ms, with queries of 1 ms."""
    stacks = [(VIEW,)] * 10 + [(VIEW, PRICE)] * price
    made = {
        "duration_ns": (10 + price) * MS,
        "samples": [SampleRecord(at * MS, MS, stack, RUNNING) for at, stack in enumerate(stacks)],
        "spans": [
            SpanRecord(None, "db", "SELECT", at * MS, MS, MS, text, VIEW, None, False)
            for at, text in enumerate(queries)
        ],
        "queries": len(queries), "times": {"db": len(queries) * MS}, "insights": [],
    }  # fmt: skip
    return record(name, **made | more)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases: in the newer one orders are slower, by a function and a query."""
    path = tmp_path_factory.mktemp("compare") / "apm.db"
    for pid, (release, price, queries) in enumerate(
        (("1.0", 10, [KEPT, OLD]), ("1.1", 50, [KEPT, KEPT, NEW]))
    ):
        calls = [call("GET /orders", price + at % 5, queries) for at in range(120)]
        calls += [call("GET /", 1, []) for _ in range(40)]
        calls += [call("GET /rare", price, []) for _ in range(3)]
        keeping = SQLiteStore(str(path), process(pid + 1, release=release))
        keeping.write(calls)
        keeping.close()
    return path


@pytest.fixture(scope="module")
def site(store: Path) -> Iterator[str]:
    with served(dashboard(f"sqlite:///{store}")) as server:
        yield server.url


@pytest.fixture
def window(visit: Callable[..., Window], site: str) -> Window:
    return visit(site)


def figure(page: Page, label: str) -> str:
    return page.locator(".kpi", has=page.get_by_text(label, exact=True)).inner_text()


def test_an_endpoint_before_and_after_a_release(window: Window) -> None:
    page = window.open("endpoint?name=GET%20/orders&range=1h")
    page.locator("summary", has_text="Compare").click()
    page.get_by_role("link", name="Before and after a release").click()
    page.wait_for_url("**/compare?*")
    window.settled()
    expect(page.locator("h1")).to_contain_text("/orders")
    expect(page.get_by_label("Before", exact=True)).to_have_value("release:1.0")
    expect(page.get_by_label("After", exact=True)).to_have_value("release:1.1")
    assert re.search(r"p95\s+64\s*ms\s+was 24 ms\s+↑ 1\d\d%$", figure(page, "p95"))
    expect(page.locator("#functions tr[data-row='0']")).to_contain_text("price")
    expect(page.locator("#functions tr[data-row='0']")).to_contain_text("+40 ms")
    statuses = page.locator("#statements tr[data-row] .chip").all_inner_texts()
    assert statuses == ["appeared", "vanished", "changed"]
    expect(page.locator("#endpoints")).to_have_count(0)
    page.get_by_role("button", name="Swap before and after").click()
    window.settled()
    expect(page.get_by_label("Before", exact=True)).to_have_value("release:1.1")
    expect(page.locator("#functions tr[data-row='0']")).to_contain_text("−40 ms")
    # of the whole application, and by a row of its table back to one
    page.get_by_label("Endpoint", exact=True).select_option(label="The whole app")
    window.settled()
    rows = page.locator("#endpoints tr[data-row]")
    expect(rows.first).to_contain_text("/orders")
    expect(rows.last).to_contain_text("too few")
    rows.first.focus()
    page.keyboard.press("Enter")
    window.settled()
    expect(page.locator("h1")).to_contain_text("/orders")
    assert "name=GET" in page.url
    assert "release%3A1.1" in page.url


def test_the_difference_flame_by_keyboard_and_both_measures(window: Window) -> None:
    page = window.open("compare?name=GET%20/orders&a=release:1.0&b=release:1.1")
    flame = page.get_by_role("application", name=re.compile("Flame graph of 3 frames"))
    flame.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    spoken = page.locator(".flamehost [aria-live]")
    expect(spoken).to_contain_text("price · shop.py:21 · total 52 ms")
    expect(spoken).to_contain_text("was 12 ms: +40 ms")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="All samples")).to_be_visible()
    page.get_by_role("button", name="Total", exact=True).click()
    expect(page.locator("#functions h2")).to_have_text("Total time by function, per call")
    assert "view=total" in page.url
    expect(page.get_by_role("button", name="All samples")).to_be_visible()  # the zoom stays
    assert window.faults() == []


def test_two_marked_endpoints(window: Window) -> None:
    page = window.open("endpoints?range=1h")
    page.locator("tr[data-row]", has_text="/orders").focus()
    page.keyboard.press("x")
    expect(page.get_by_role("status").filter(has_text="is marked")).to_contain_text("GET /orders")
    assert window.faults() == []
    page.keyboard.press("Escape")
    expect(page.get_by_text("is marked")).to_have_count(0)
    page.get_by_role("checkbox", name="Mark GET / to compare").click()
    page.locator("tr[data-row]", has_text="/orders").focus()
    page.keyboard.press("x")
    page.wait_for_url("**/compare?*")
    window.settled()
    expect(page.locator("h1")).to_contain_text("against")
    assert "↑" in figure(page, "p50")
    page.get_by_role("button", name="remove").click()
    window.settled()
    expect(page.locator("h1")).not_to_contain_text("against")


def test_a_trace_with_a_median_call(window: Window, site: str) -> None:
    rows = ask(site.rstrip("/"), "traces", name="GET /orders", kept="1", range="1h", release="1.1")["traces"]
    page = window.open(f"trace?id={rows[0]['id']}")
    page.get_by_role("link", name="Compare with it").click()
    page.wait_for_url("**/compare?*")
    window.settled()
    assert page.get_by_label("After", exact=True).input_value() == f"tx:{rows[0]['id']}"
    expect(page.locator("#kinds h2")).to_have_text("Spans by kind")
    expect(page.locator("#kinds tr", has_text="SQL")).to_contain_text("→ 3")
    expect(page.locator("#difference canvas")).to_be_visible()
    assert page.get_by_text("Too few to rank").count() == 0
    assert window.faults() == []


def test_under_thirty_calls_it_refuses_to_rank(window: Window) -> None:
    page = window.open("compare?name=GET%20/rare&a=release:1.0&b=release:1.1")
    expect(page.get_by_role("note")).to_contain_text(
        "3 calls before and 3 after: under 30 a side nothing is ranked"
    )
    expect(page.locator("#functions")).to_contain_text("not ranked")
    assert page.locator(".change.bad, .change.good").count() == 0
    for width in (430, 1024):
        window.width(width)
        assert window.too_wide() == []


def test_what_cannot_be_compared_is_said_and_the_pickers_cure_it(window: Window, site: str) -> None:
    page = window.open("compare?a=range:1h&b=release:9")
    expect(page.get_by_role("alert")).to_contain_text("there is no release '9' in the store; there are '1.")
    page.get_by_label("After", exact=True).select_option("@trace")
    form = page.get_by_role("form", name="After: one trace")
    form.get_by_label("Id of the trace").fill("no id")
    page.keyboard.press("Enter")
    expect(form.get_by_role("alert")).to_contain_text("up to 16 of the digits")
    assert window.faults() == []
    page.keyboard.press("Escape")
    page.get_by_label("After", exact=True).select_option("release:1.1")
    window.settled()
    expect(page.locator("#endpoints")).to_be_visible()
    page.get_by_label("Before", exact=True).select_option("@range")
    page.get_by_role("form", name="Before: a time of its own").get_by_role("button", name="Compare").click()
    window.settled()
    expect(page.get_by_role("note")).to_contain_text("0 calls before")
    window.expect("console: Failed to load resource.*400")
    page = window.open("compare?name=GET%20/gone")
    expect(page.locator(".empty")).to_contain_text("Neither side has a call")
    page.get_by_role("button", name="The last 7d").click()
    window.settled()
    assert "range%3A7d" in page.url
    window.expect("console: Failed to load resource.*404")


def test_live_brings_what_is_new_and_keeps_the_place(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    keeping = SQLiteStore(str(tmp_path / "apm.db"), process(5))
    keeping.write([call("GET /", 1, []) for _ in range(40)])
    window = visit(show(tmp_path / "apm.db"))
    page = window.open("compare?a=range:1h&b=range:6h&view=total")
    page.get_by_role("button", name="Live").click()
    chosen = page.get_by_label("After", exact=True)
    chosen.focus()
    keeping.write([call("GET /late", 30, []) for _ in range(40)])
    keeping.close()
    expect(page.locator("#endpoints")).to_contain_text("/late")
    expect(chosen).to_be_focused()
    assert page.locator("main .dim").count() == 0
