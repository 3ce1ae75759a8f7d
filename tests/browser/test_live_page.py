"""What is in flight, watched as a user does: a stuck job, a busy one, and a worker that answers nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from chromium import Window
from records import process, record
from running import served
from servers import PYTHON, environment, running

pytestmark = [pytest.mark.browser, pytest.mark.server]

JOBS = """
import sys, threading, time
import apm_agent
apm_agent.install(store=sys.argv[1], service="shop")

@apm_agent.background_transaction("nightly")
def nightly():
    time.sleep(120)  # stuck

@apm_agent.background_transaction("rank <b>")
def rank():
    until = time.monotonic() + 120
    while time.monotonic() < until:
        sum(range(500))  # at work

threading.Thread(target=nightly, name="night", daemon=True).start()
rank()
"""
STUCK = next(number for number, line in enumerate(JOBS.splitlines(), 1) if "# stuck" in line)


def kept(path: Path) -> Path:
    """A store that a worker on another machine has just written to: how long `nightly` takes is known."""
    keeping = SQLiteStore(str(path), process(4711, host="web-9"))
    keeping.write([record("nightly", kind="background", method=None, path=None) for _ in range(30)])
    keeping.close()
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("live")
    store = kept(folder / "apm.db")
    script = folder / "jobs.py"
    script.write_text(JOBS)
    with (
        running([PYTHON, str(script), f"sqlite:///{store}"], env=environment(), cwd=folder),
        served(dashboard(f"sqlite:///{store}")) as server,
    ):
        yield server.url


def test_a_stuck_job_its_stack_and_the_silent_worker(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("endpoints")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/live*")
    rows = page.locator("#live tr[data-row]")
    expect(rows).to_have_count(2)
    stuck = rows.filter(has_text="nightly")
    expect(stuck).to_contain_text(f"jobs.py:{STUCK}")
    expect(stuck).to_contain_text("waiting")
    expect(stuck).to_contain_text("night")
    expect(stuck.locator(".late")).to_contain_text("!")  # far over its own p95, said without colour too
    expect(rows.filter(has_text="rank <b>")).to_contain_text("running")
    silent = page.locator("#workers tr[data-row]", has_text="web-9:4711")
    expect(silent).to_contain_text("silent")
    expect(page.locator("#workers .sub")).to_contain_text(
        "1 tell, 1 silent: idle, or something in them holds"
    )
    # by keyboard into the stack; it is refreshed in place, and focus stays
    stuck.focus()
    page.keyboard.press("Enter")
    stack = page.locator("#stack")
    expect(stack).to_contain_text("stack now")
    expect(stack.locator("li").first).to_contain_text(f"jobs.py:{STUCK}")
    shown = stack.locator(".sub").inner_text()
    expect(stack.locator(".sub")).not_to_have_text(shown)
    expect(stuck).to_be_focused()
    assert window.faults() == []
    for width in (1024, 430):
        window.width(width)
        assert window.too_wide() == []


def test_paused_with_space_it_stands_still(visit: Callable[..., Window], site: str) -> None:
    window = visit(site, color_scheme="dark")
    page = window.open("live")
    age = page.locator("#live tr[data-row]", has_text="nightly").locator(".barcell .num")
    expect(age).to_be_visible()
    before = age.inner_text()
    expect(age).not_to_have_text(before)
    page.locator("body").press("Space")
    expect(page.locator("#live .sub")).to_contain_text("paused")
    expect(page.get_by_role("button", name="Go on")).to_have_attribute("aria-pressed", "true")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    still = age.inner_text()
    page.keyboard.press("d")  # any other key works on
    page.clock.install()
    page.clock.run_for(5000)  # many turns, were it not paused
    assert age.inner_text() == still
    assert asked == []
    page.locator("body").press("Space")
    expect(age).not_to_have_text(still)
    assert window.faults() == []


def test_a_capture_shows_what_ran_also_what_has_not_ended(visit: Callable[..., Window], site: str) -> None:
    window = visit(site)
    page = window.open("live")
    page.get_by_role("button", name="Capture 5 s profile").click()
    expect(page.get_by_role("status").filter(has_text="Capturing")).to_contain_text("1 worker")
    expect(page.locator("#film h2")).to_have_text("What ran in these 5 s")
    flame = page.get_by_role("application", name=re.compile("Flame graph"))
    page.get_by_role("searchbox", name="Search frames").fill("rank")
    expect(page.locator("#film .chip")).to_contain_text("matched")
    flame.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".flamehost [aria-live]")).to_contain_text("total")
    assert window.faults() == []


def test_nothing_in_flight_says_what_ended_lately(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    window = visit(show(kept(tmp_path / "apm.db")))
    page = window.open("live")
    expect(page.locator(".empty")).to_contain_text("Nothing is in flight")
    expect(page.locator(".empty")).to_contain_text("30 calls")
    expect(page.locator(".empty")).to_contain_text("a minute ended in the last")
    expect(page.locator("#workers")).to_contain_text("silent")
    assert window.faults() == []


def test_no_store_yet_says_how_to_begin(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    window = visit(show(tmp_path / "nowhere" / "apm.db"))
    page = window.open("live")
    expect(page.get_by_role("alert")).to_contain_text("there is no store at")
    expect(page.get_by_role("alert")).to_contain_text("apm-agent run")
    window.expect("console: Failed to load resource.*503")
