"""Takes the pictures of docs/pictures: every page, light and dark, of the running demo, as its own dashboard shows it.

    python docs/pictures.py [--seconds 120] [--only overview trace] [--keep-store /tmp/demo.db]

The demo runs for so many seconds before the first picture. Pages are the rows of tests/addresses.py, so that a new page
comes by itself. No picture is larger than 150 kB: one that would be shows less of its page.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from playwright.sync_api import Browser, Page  # noqa: E402

from addresses import ADDRESSES, Ask  # noqa: E402
from api import ask  # noqa: E402
from chromium import chromium  # noqa: E402
from servers import free_port  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
THEMES = ("light", "dark")
WIDTH, HEIGHTS = 1440, (860, 720, 600, 480)
MOST_BYTES = 150_000
#: The demo is young: a longer range would be an empty one with an edge.
RANGE = "15m"

#: Where the demo has something else to show than the made-up day.
INSTEAD: dict[str, Callable[[Ask], str]] = {
    "compare": lambda asked: "compare?a=tx:{1}&b=tx:{0}".format(*_slow_and_median(asked)),
    "error": lambda asked: "error?type={type}&frame={frame}".format(**asked("errors")["errors"][0]),
    "trace": lambda asked: f"trace?id={asked('traces', name='GET /orders', kept='1')['traces'][0]['id']}",
}


def _slow_and_median(asked: Ask) -> tuple[str, str]:
    """The slowest report of the demo and a usual one."""
    slow = asked("traces", name="GET /report", kept="1")["traces"][0]["id"]
    return slow, asked("trace", id=slow)["median"] or slow


@contextmanager
def demo(seconds: float, store: str) -> Iterator[str]:
    """The address of the demo's dashboard, once it has run for a while."""
    port = free_port()
    command = [
        sys.executable, "-m", "apm_agent", "demo", "--port", str(port), "--store", store, "--no-browser",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            time.sleep(seconds)
            if running.poll() is not None:
                raise SystemExit(f"the demo ended by itself, with {running.returncode}")
            yield f"http://127.0.0.1:{port}/"
        finally:
            running.terminate()  # a background shell has its commands ignore SIGINT
            running.wait(60)


def address_of(page: str, mount: str) -> str:
    """Where a page is opened in the demo."""

    def asked(question: str, **parameters: str) -> dict[str, Any]:
        return ask(mount.rstrip("/"), question, range=RANGE, **parameters)

    address = INSTEAD.get(page, ADDRESSES[page])(asked)
    address = re.sub(r"range=\w+", f"range={RANGE}", address)
    return address if "range=" in address else f"{address}{'&' if '?' in address else '?'}range={RANGE}"


def take(browser: Browser, mount: str, address: str, theme: str) -> bytes:
    """A picture of the top of a page, as much as its size allows."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHTS[0]}, color_scheme=theme)  # type: ignore[arg-type]
    context.add_init_script(
        "addEventListener('DOMContentLoaded', () => document.fonts.load('12px Inter Variable'))"
    )
    page = context.new_page()
    try:
        page.goto(mount + address)
        page.wait_for_selector("html[data-ready]", state="attached")
        page.evaluate("document.fonts.ready.then(() => null)")
        return _small(page)
    finally:
        context.close()


def _small(page: Page) -> bytes:
    picture = b""
    for height in HEIGHTS:
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.wait_for_selector("html[data-ready]", state="attached")
        picture = page.screenshot(animations="disabled")
        if len(picture) <= MOST_BYTES:
            break
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description="Takes the pictures of docs/pictures from the running demo.")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--keep-store", default="")
    options = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        store = options.keep_store or str(Path(folder) / "apm.db")
        with demo(options.seconds, store) as mount, chromium() as browser:
            for page in options.only or ADDRESSES:
                try:
                    address = address_of(page, mount)
                    for theme in THEMES:
                        picture = take(browser, mount, address, theme)
                        (PICTURES / f"{page}-{theme}.png").write_bytes(picture)
                        print(f"{page}-{theme}.png {len(picture) / 1000:.0f} kB", flush=True)
                except Exception as error:  # the other pictures are still wanted
                    failed.append(f"{page}: {error}")
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
