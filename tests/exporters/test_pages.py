"""What is opened in a browser: our own page, speedscope, and Perfetto."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from apm_agent.exporters import chrome, html, speedscope
from apm_agent.model.profile import RUNNING, WAITING, Frame, Profile
from apm_agent.model.record import Record, SampleRecord, SpanRecord
from chromium import Window, visiting
from servers import environment, free_port, running

pytestmark = pytest.mark.browser

SPEEDSCOPE = (
    Path(__file__).parent / "tools" / "node_modules" / "speedscope" / "dist" / "release" / "index.html"
)
MS = 10**6


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Window]]:
    """New windows below an address; the test fails when one of them complained."""
    with visiting(browser) as window:
        yield window


def frame(name: str) -> str:
    return f'.frame[aria-label^="{name}"]'


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_flame_graph_opens_from_a_disk(
    visit: Callable[..., Window], profile: Profile, tmp_path: Path, theme: str
) -> None:
    file = tmp_path / "flame.html"
    file.write_bytes(html.export(profile))
    # A window that may load this one file: any other request is a complaint.
    window = visit(file.as_uri(), color_scheme=theme, offline=True)
    window.page.goto(file.as_uri())
    page = window.page
    expect(page.locator("#about")).to_have_text("78,791.111 ms sampled by apm-agent")
    expect(page.locator(frame("view shop.py:9"))).to_have_attribute(
        "aria-label", "view shop.py:9, 77,787.778 ms total (98.7 %), 77,777.778 ms own"
    )
    first = page.locator("#lines tr").first
    assert first.locator("td").all_inner_texts() == ["view shop.py:9", "77,777.778 ms", "77,787.778 ms"]
    walk = page.locator("#lines tr", has_text="walk shop.py:20").locator("td")
    assert walk.all_inner_texts() == ["walk shop.py:20", "3.333 ms", "1,003.333 ms"], (
        "a recursion counts once"
    )
    assert window.faults() == []
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert window.faults() == []


def test_the_flame_graph_searches_and_zooms(
    visit: Callable[..., Window], profile: Profile, tmp_path: Path
) -> None:
    file = tmp_path / "flame.html"
    file.write_bytes(html.export(profile))
    window = visit(file.as_uri())
    window.page.goto(file.as_uri())
    page = window.page
    page.get_by_label("Search").fill("SHOP.py")
    expect(page.locator("#found")).to_have_text(
        "100.0 % of the time (78,791.111 ms) is in or below what matches"
    )
    assert page.locator(".frame.hit").count() >= 2
    page.get_by_label("Search").fill("nothing of the kind")
    expect(page.locator("#found")).to_have_text("Nothing matches")
    page.get_by_label("Search").fill("")
    narrow = page.locator(frame("view shop.py:7"))
    width = narrow.bounding_box()["width"]  # type: ignore[index]
    narrow.click()
    assert narrow.bounding_box()["width"] > 10 * width  # type: ignore[index]
    expect(narrow).to_be_focused()
    expect(page.locator("#detail b")).to_have_text("view shop.py:7")
    expect(page.locator(frame("walk shop.py:20"))).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(page.locator(frame("walk shop.py:20")).first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".frame.above")).to_have_count(3)
    assert window.faults() == []
    page.keyboard.press("Escape")
    expect(page.locator(".frame.above")).to_have_count(0)
    expect(page.get_by_role("button", name="Whole profile")).to_be_disabled()
    window.width(400)
    assert window.faults() == []


def test_r39_the_flame_graph_shows_hostile_names_as_text(
    visit: Callable[..., Window], hostile: Profile, tmp_path: Path
) -> None:
    for name, source in (("hostile", hostile), ("empty", {})):
        file = tmp_path / f"{name}.html"
        file.write_bytes(html.export(source))
        window = visit(file.as_uri())
        window.page.goto(file.as_uri())
        assert window.page.locator("#flame b, #flame script").count() == 0
        assert window.faults() == []
    expect(window.page.locator("#about")).to_have_text("There are no samples in this profile")


def test_speedscope_opens_it(
    visit: Callable[..., Window], profile: Profile, hostile: Profile, tmp_path: Path
) -> None:
    if not SPEEDSCOPE.exists():
        pytest.skip("no speedscope here; cure: npm ci --ignore-scripts --prefix tests/exporters/tools")
    for name, source in (("profile", profile), ("hostile", hostile)):
        data = base64.b64encode(speedscope.export(source)).decode()
        loader = tmp_path / f"{name}.js"
        loader.write_text(f"speedscope.loadFileFromBase64({json.dumps(name)}, {json.dumps(data)})")
        window = visit("file://")
        page = window.page
        page.goto(f"{SPEEDSCOPE.as_uri()}#localProfilePath={loader}")
        page.get_by_text("Sandwich").click()
        if source is profile:
            expect(page.get_by_role("row", name="1:17 (99%) 1:17 (99%) view")).to_be_visible()
            expect(page.get_by_role("row", name="1.00s (1.3%) 3.33ms (<0.01%) walk")).to_be_visible()


def test_perfetto_reads_every_nanosecond(
    visit: Callable[..., Window], tool: Callable[[str], str], tmp_path: Path
) -> None:
    view, query = Frame("view", "shop.py", 7, "app", ""), Frame("query", "db.py", 3, "lib", "")
    record = Record(1, "web", "GET /orders", 10**18, 50 * MS + 1)
    record.spans = [
        SpanRecord(
            None, "db", "SELECT orders", 5 * MS, 20 * MS + 3, 20 * MS, "SELECT ?", view, {"rows": 2}, False
        ),
        SpanRecord(0, "code", "inner", 6 * MS, MS, MS, None, None, None, False),
        SpanRecord(None, "http", "at the same time", 20 * MS, 20 * MS, 20 * MS, None, None, None, False),
    ]
    record.samples = [
        SampleRecord(10 * MS, 10 * MS, (view,), RUNNING),
        SampleRecord(21 * MS + 1, 11 * MS + 1, (view, query), RUNNING),
        SampleRecord(40 * MS, 10 * MS, (view, query), WAITING),
    ]
    record.weights = {((view,), RUNNING): 7 * MS, ((), RUNNING): 2}
    record.gc_pauses, record.rss_curve = [(30 * MS, 2 * MS, 2)], [(0, 2**20), (40 * MS, 2**21)]
    file = tmp_path / "trace.json"
    file.write_bytes(chrome.export(record))
    port = free_port()
    command = [tool("vizviewer"), "--server_only", "--port", str(port), str(file)]
    with running(command, port=port, env=environment()):
        window = visit(f"http://127.0.0.1:{port}")
        page = window.page
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_function("() => window.app?.trace?.engine", timeout=60_000)
        tracks = page.evaluate(
            """async () => {
              const found = await window.app.trace.engine.query(`
                select thread.name as track, count(*) as slices, max(depth) as depth,
                       sum(iif(depth = 0, dur, 0)) as ns
                from slice join thread_track on track_id = thread_track.id join thread using (utid)
                group by 1 order by 1`);
              const rows = [];
              const row = found.iter({track: 'str', slices: 1, depth: 1, ns: 1n});
              for (; row.valid(); row.next()) rows.push([row.track, row.slices, row.depth, String(row.ns)]);
              return rows;
            }"""
        )
        lost = page.evaluate(
            """async () => (await window.app.trace.engine.query(
              "select 1 from stats where severity in ('error', 'data_loss') and value > 0")).numRows()"""
        )
        # It asks for a native helper on a port of its own, for sources and for a reload, and goes on without.
        window.complaints.clear()
    assert tracks == [
        ["garbage collection", 1, 0, str(2 * MS)],
        ["sampled past the limit: laid end to end, their times are not known", 2, 0, str(7 * MS + 2)],
        ["samples", 4, 1, str(31 * MS + 1)],
        ["spans", 3, 2, str(50 * MS + 1)],
        ["spans at the same time", 1, 0, str(20 * MS)],
    ]
    assert lost == 0
