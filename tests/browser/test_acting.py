"""From reading to acting, as a user does it: copy a line, a call or a test, open an editor, take any export away."""

from __future__ import annotations

import gzip
import json
import marshal
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from api import ask
from apm_agent.exporters import EXPORTERS
from apm_agent.web.app import dashboard
from chromium import Window
from make_store import make
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]

ENDPOINT = f"endpoint?name={quote('POST /quote')}&range=24h"

#: What each file begins with or holds, so that none is another one, or an error, under its name.
CONTENTS: dict[str, Callable[[bytes], object]] = {
    "speedscope": lambda data: json.loads(data)["$schema"].endswith("file-format-schema.json"),
    "folded": lambda data: data.decode().splitlines()[0].rpartition(" ")[2].isdigit(),
    "pstats": marshal.loads,
    "callgrind": lambda data: b"events: " in data,
    "pprof": gzip.decompress,
    "chrome": lambda data: json.loads(data)["traceEvents"],
    "firefox": lambda data: json.loads(data)["threads"],
    "dot": lambda data: data.startswith(b"digraph"),
    "html": lambda data: data.startswith(b"<!doctype html>"),
    "text": lambda data: b" ns sampled" in data,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("acting") / "apm.db"
    make(path, 800)
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def mount(store: str) -> Iterator[str]:
    """The dashboard of a made-up day, with an editor."""
    with served(dashboard(store, editor="vscode")) as server:
        yield server.url


@pytest.fixture(scope="module")
def opened(browser: Browser, mount: str) -> Iterator[Window]:
    window = Window(browser, mount)
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield window
    window.close()


@pytest.fixture
def window(opened: Window) -> Iterator[Window]:
    opened.complaints.clear()
    yield opened
    assert opened.complaints == []


def trace_of(mount: str, name: str) -> str:
    return str(ask(mount.rstrip("/"), "traces", range="24h", name=name, kept="1")["traces"][0]["id"])


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_a_line_is_copied_by_key_and_by_button(window: Window, mount: str) -> None:
    page = window.open(f"trace?id={trace_of(mount, 'GET /orders')}")
    page.keyboard.press("y")  # of what is marked: the repeats
    expect(page.locator(".toast")).to_have_text("Copied shop.py:8")
    assert clipboard(page) == "shop.py:8"
    page.locator("[role=treegrid] [role=row]").first.click()  # the whole of it has no line
    page.evaluate("navigator.clipboard.writeText('before')")
    page.keyboard.press("y")
    assert clipboard(page) == "before"
    page.locator("#source .place").first.focus()
    page.keyboard.press("y")
    expect(page.locator(".toast")).not_to_be_empty()
    assert clipboard(page).startswith("shop.py:")
    page = window.open(ENDPOINT)
    page.locator("#hot .place", has_text="shop.py:15").click()
    expect(page.locator(".toast")).to_have_text("Copied shop.py:15")
    assert clipboard(page) == "shop.py:15"
    page.get_by_role("heading", name="Hot lines").click()
    page.keyboard.press("y")  # nothing focused or marked: the first line there is, which is the first cause's
    expect(page.locator(".toast")).to_have_text("Copied shop.py:16")


def test_a_line_opens_in_the_editor_that_was_set(
    window: Window, mount: str, store: str, visit: Callable[..., Window], show: Callable[[str], str]
) -> None:
    page = window.open(ENDPOINT)
    path = next(iter(ask(mount.rstrip("/"), "site")["editor"]["paths"].values()))
    link = page.get_by_role("link", name="Open line 16 of shop.py in the editor").first
    assert link.get_attribute("href") == f"vscode://file{path}:16"
    assert window.faults() == []
    plain = visit(show(store)).open(ENDPOINT)
    expect(plain.locator("#hot .place").first).to_be_visible()
    assert plain.locator("a.act").count() == 0, "no editor was set"


def test_a_call_is_copied_as_curl_and_runs(window: Window, mount: str) -> None:
    page = window.open(f"trace?id={trace_of(mount, 'POST /quote')}")
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_have_text("Copied as curl")
    command = clipboard(page)
    assert command == "curl -sS -g -i -X POST 'http://localhost:8000/quote'"
    menu = page.locator(".menu.wide")
    assert "query string, headers, cookies and body" in menu.inner_text()
    expect(menu.locator("pre")).to_have_text(command)
    assert window.faults() == []
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    if shutil.which("curl") is None:
        pytest.skip("no curl here; cure: apt-get install curl")
    with listening() as (address, seen):
        subprocess.run(
            ["bash", "-c", command.replace("http://localhost:8000", address)],
            check=True,
            capture_output=True,
            timeout=20,
        )
    assert seen == ["POST /quote"]


def test_a_call_is_copied_as_a_test_that_judges(window: Window, mount: str, tmp_path: Path) -> None:
    page = window.open(f"trace?id={trace_of(mount, 'GET /orders')}")
    page.keyboard.press("c")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_have_text("Copied as a test")
    text = clipboard(page)
    assert "def test_get_orders_is_not_slow(client, apm):" in text
    assert 'apm.assert_no_repeated_queries(endpoint="GET /orders")' in text
    (tmp_path / "conftest.py").write_text(
        "import flask, pytest\n"
        "@pytest.fixture\n"
        "def client():\n"
        "    app = flask.Flask('shop')\n"
        "    app.add_url_rule('/orders', view_func=lambda: 'all of them')\n"
        "    return app.test_client()\n"
    )
    (tmp_path / "test_copied.py").write_text(text)
    limit = text.partition("assert_p95(")[2].partition(",")[0]
    (tmp_path / "test_strict.py").write_text(text.replace(f"assert_p95({limit},", "assert_p95(0.0001,"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "FAILED test_strict.py::test_get_orders_is_not_slow" in done.stdout


def test_a_job_is_no_call_to_copy(window: Window, mount: str) -> None:
    page = window.open("endpoint?name=nightly&kind=background&range=24h")
    expect(page.locator("summary", has_text="Export")).to_be_visible()
    assert page.locator("summary", has_text="Copy").count() == 0


def test_every_format_of_a_trace_is_its_file(window: Window, mount: str, tmp_path: Path) -> None:
    trace = trace_of(mount, "POST /quote")
    page = window.open(f"trace?id={trace}")
    page.keyboard.press("e")
    links = page.locator("details[open] .menu a")
    expect(links.first).to_be_focused()
    assert links.count() == len(EXPORTERS) + 2
    page.keyboard.press("ArrowDown")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(links.last).to_be_focused()
    assert window.faults() == []
    for name, row in EXPORTERS.items():
        with page.expect_download() as download:
            entry(page, name).click()
        data = taken(download.value, tmp_path)
        assert download.value.suggested_filename == f"{trace}{row.ending}"
        assert CONTENTS[name](data), name
    page = window.open(f"trace?id={trace}")  # Chromium asks before the eleventh download of one page
    page.keyboard.press("e")
    links = page.locator("details[open] .menu a")
    with page.expect_download() as download:
        links.last.click()
    assert json.loads(taken(download.value, tmp_path))["trace"]["id"] == trace
    page.keyboard.press("Escape")
    expect(page.locator("details[open]")).to_have_count(0)


def test_what_cannot_be_written_says_why(window: Window, mount: str, tmp_path: Path) -> None:
    page = window.open(ENDPOINT)
    page.get_by_text("Export", exact=True).click()
    off = page.locator("details[open] .menu .off")
    expect(off).to_have_text("chromeone transaction only")
    for name in ("speedscope", "pprof"):
        with page.expect_download() as download:
            entry(page, name).click()
        assert download.value.suggested_filename == f"POST-quote{EXPORTERS[name].ending}"
        assert CONTENTS[name](taken(download.value, tmp_path))
    for width in (430, 1024, 1440):
        window.width(width)
        assert window.too_wide() == []
    page.locator("h1").click()
    expect(page.locator("details[open]")).to_have_count(0)
    page = window.open(f"trace?id={trace_of(mount, 'GET /basket/<int:id>')}")  # too short to be sampled
    page.keyboard.press("e")
    texts = page.locator("details[open] .menu .off").all_inner_texts()
    assert [text.split()[0] for text in texts] == [name for name in EXPORTERS if name != "chrome"]
    assert all("no samples" in text for text in texts)


def entry(page: Page, form: str) -> Locator:
    return page.locator(f'details[open] .menu a[href$="format={form}"]')


def taken(download: object, folder: Path) -> bytes:
    path = folder / "taken"
    download.save_as(path)  # type: ignore[attr-defined]
    return path.read_bytes()


class listening:
    """A server that notes what it is asked."""

    def __enter__(self) -> tuple[str, list[str]]:
        seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen.append(f"{self.command} {self.path}")
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}", seen

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
