"""What a page shows when there is nothing, little, or nobody to ask, and while it is refreshed."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from api import ask
from apm_agent.store.sqlite import SQLiteStore
from chromium import Window
from mounts import dashboard_command
from records import SECOND, process, record
from servers import free_port, running

pytestmark = [pytest.mark.browser, pytest.mark.server]


def kept(path: Path, *records: object) -> Path:
    """A store with these records."""
    store = SQLiteStore(str(path), process(), 2**30)
    if records:
        store.write(list(records), {})  # type: ignore[arg-type]
    store.close()
    return path


def test_an_empty_store_says_how_to_fill_it(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    window = visit(show(kept(tmp_path / "apm.db")))
    for name in ("overview", "endpoints", "traces"):
        page = window.open(name)
        empty = page.locator(".empty")
        expect(empty).to_contain_text("Last event: never")
        for framework, line in (
            ("Django", "INSTALLED_APPS"),
            ("Flask", "init_app"),
            ("FastAPI", "add_middleware"),
        ):
            page.get_by_role("button", name=re.compile(framework)).click()
            expect(empty.locator("pre")).to_contain_text(line)
            assert len(empty.locator("pre").inner_text().splitlines()) == 3
        assert window.faults() == []
    window.open("health")
    assert window.faults() == []


def test_a_store_there_is_not_yet(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    window = visit(show(tmp_path / "none.db"))
    page = window.open("endpoints")
    expect(page.locator(".empty")).to_contain_text("Nothing recorded yet")
    page.get_by_role("link", name="Which store is this?").click()
    page.wait_for_url("**/health*")
    window.settled()
    expect(page.locator("main")).to_contain_text("none.db")
    assert window.faults() == []
    kept(tmp_path / "none.db", record())
    page = window.open("endpoints")
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_a_store_that_is_none(visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_text("this is no database" * 1000)
    window = visit(show(path))
    for name in (
        "overview", "endpoints", "endpoint?name=GET%20/", "traces", "trace?id=00000000000000ff", "health",
    ):  # fmt: skip
        page = window.open(name)
        expect(page.get_by_role("alert")).to_contain_text("broken.db")
        assert page.get_by_role("button", name="Try again").count() == 1
        assert window.faults() == []
    window.expect("console: Failed to load resource.*503")


def test_a_filter_that_nothing_passes(visit: Callable[..., Window], mounted: Callable[[str], str]) -> None:
    window = visit(mounted("alone"))
    page = window.open("endpoints?range=24h&q=zzz&kind=web")
    expect(page.locator(".empty")).to_contain_text("No endpoints with these filters")
    assert window.faults() == []
    page.get_by_role("button", name="q: zzz remove").click()
    window.settled()
    expect(page.locator("tr[data-row]").first).to_be_visible()
    page = window.open("traces?range=24h&name=GET%20/orders&min_ms=999999")
    page.get_by_role("button", name="Remove all").click()
    window.settled()
    expect(page.locator("tr[data-row]").first).to_be_visible()


def test_an_endpoint_and_a_trace_there_are_not(
    visit: Callable[..., Window], mounted: Callable[[str], str]
) -> None:
    window = visit(mounted("alone"))
    for address, said in (("endpoint?name=GET%20/gone", "GET /gone"), ("trace?id=1234", "1234")):
        page = window.open(address)
        expect(page.get_by_role("alert")).to_contain_text(said)
        assert window.faults() == []
    window.expect("console: Failed to load resource.*404")
    for address in ("endpoint", "trace"):
        page = window.open(address)
        expect(page.locator("main h1")).to_contain_text("chosen")
        assert window.faults() == []


def test_a_server_that_dies_between_two_clicks(visit: Callable[..., Window], day: str) -> None:
    port = free_port()
    with running(dashboard_command(day, port), port=port) as program:
        window = visit(f"{program.url}/")
        page = window.open("endpoints?range=24h")
    page.get_by_role("button", name="6h").click()
    window.settled()
    failure = page.get_by_role("alert")
    expect(failure).to_contain_text("The server did not answer")
    expect(page.locator(".rail")).to_be_visible()
    assert window.faults() == []
    with running(dashboard_command(day, port), port=port):
        failure.get_by_role("button", name="Try again").click()
        window.settled()
        expect(page.locator("tr[data-row]").first).to_be_visible()
        expect(failure).to_have_count(0)
    # Once all is over: the page goes on asking by itself while the server starts.
    window.expect("ERR_CONNECTION_(REFUSED|RESET)")


def test_few_calls_say_so(visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path) -> None:
    window = visit(show(kept(tmp_path / "apm.db", *[record() for _ in range(3)])))
    page = window.open("endpoints")
    expect(page.locator("tr[data-row] .thin small")).to_have_text("n=3")
    page = window.open("endpoint?name=GET%20/orders")
    expect(page.locator(".kpis .thin").first).to_contain_text("n=3")
    assert window.faults() == []
    page.locator("#slow tr[data-row]").first.click()
    page.wait_for_url("**/trace?*")
    window.settled()
    expect(page.locator(".rank-words")).to_contain_text("Too few calls to rank it: 3")
    assert window.faults() == []


def test_a_trace_whose_detail_was_not_kept(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    bare = record(spans=[], samples=[], insights=[], kept=None, queries=0, times={})
    empty = record("GET /quick", spans=[], samples=[], insights=[], kept="first", queries=0)
    address = show(kept(tmp_path / "apm.db", bare, empty))
    window = visit(address)
    for row in ask(address.rstrip("/"), "traces")["traces"]:
        page = window.open(f"trace?id={row['id']}")
        expect(page.locator("main")).to_contain_text("No timeline for this one")
        expect(page.locator("#timeline")).to_have_count(0)
        assert window.faults() == []


def test_a_store_that_nobody_writes_any_more(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    then = time.time_ns() - 600 * SECOND
    path = kept(tmp_path / "apm.db", record(at=then))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE processes SET last_seen = ?", (then,))
        connection.commit()
    window = visit(show(path))
    page = window.open("endpoints")
    expect(page.locator(".stale")).to_contain_text("last written 10 min ago")
    assert window.faults() == []


def test_live_keeps_scroll_and_selection(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    path = kept(tmp_path / "apm.db", *[record(f"GET /page/{number:02}") for number in range(40)])
    window = visit(show(path), viewport={"width": 1440, "height": 700})
    window.page.clock.install()
    page = window.open("endpoints?range=15m&live=1&sort=name")
    page.keyboard.press("j")
    page.keyboard.press("End")
    page.wait_for_function("() => document.activeElement.dataset.row === '39'")
    scrolled = page.evaluate("scrollY")
    assert scrolled > 300
    page.evaluate("getSelection().selectAllChildren(document.activeElement.querySelector('.route'))")

    kept(path, *[record(f"GET /page/{number:02}") for number in range(40)])
    with page.expect_response(re.compile("api/v1/endpoints")):
        page.clock.run_for(2100)
    expect(page.locator("tr[data-row='39'] td").nth(2).locator("span")).to_have_attribute(
        "data-tip", "2 calls"
    )
    assert page.evaluate("scrollY") == scrolled
    assert page.evaluate("document.activeElement.dataset.row") == "39"
    assert page.evaluate("String(getSelection())") == "/page/39"


def test_live_keeps_the_row_that_another_overtakes(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    path = kept(
        tmp_path / "apm.db",
        record("GET /a", duration_ns=20 * 10**6),
        record("GET /b", duration_ns=10 * 10**6),
    )
    window = visit(show(path))
    window.page.clock.install()
    page = window.open("endpoints?range=15m&live=1")
    page.keyboard.press("j")
    expect(page.locator("tr:focus .route")).to_have_text("/a")
    kept(path, record("GET /b", duration_ns=500 * 10**6))
    with page.expect_response(re.compile("api/v1/endpoints")):
        page.clock.run_for(2100)
    expect(page.locator("tr[data-row='0'] .route")).to_have_text("/b")
    expect(page.locator("tr:focus .route")).to_have_text("/a")
    page.keyboard.press("ArrowUp")
    expect(page.locator("tr:focus .route")).to_have_text("/b")
