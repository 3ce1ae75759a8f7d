"""How fast the dashboard's pages are, cold, in headless Chromium: with 10,000 endpoints and a profile of 12,000 frames.

Each page is opened several times, each time in a browser that has cached nothing, and the medians are told:

    first JS     gzip of the scripts that its address names, which come at once; heavy parts come once it stands
    first paint  the browser's first-contentful-paint
    interactive  when it has drawn what it asked for, and waits for nothing
    JSON         what the API sent, as it went over the wire

    python benchmarks/pages.py [--loads 5] [--only endpoints endpoint] [--write]

`--write` puts the table into docs/dashboard.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from playwright.sync_api import Browser, Page  # noqa: E402

from addresses import addresses  # noqa: E402
from apm_agent.model.profile import Frame  # noqa: E402
from apm_agent.model.record import SampleRecord  # noqa: E402
from apm_agent.store.sqlite import SQLiteStore  # noqa: E402
from apm_agent.web.static import FOLDER  # noqa: E402
from chromium import chromium  # noqa: E402
from make_store import make  # noqa: E402
from mounts import alone  # noqa: E402
from records import process, record  # noqa: E402

STORED, CHAINS, DEPTH = 4_980, 300, 40
WIDE = "GET /wide"
DOC = ROOT / "docs" / "dashboard.md"
BEGIN, END = "<!-- benchmarks/pages.py -->", "<!-- end -->"

#: Notes when the page first says that it is drawn.
_WATCH = """
new MutationObserver((_, watch) => {
  if (!document.documentElement?.dataset.ready) return;
  window.interactive = performance.now();
  watch.disconnect();
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-ready'] });
"""
_TOLD = """() => ({
  paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null,
  interactive: window.interactive,
  json: performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/v1/'))
    .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
})"""
#: The flame graph once more: from the last byte of its profile to the frame that shows it.
_FLAME = """async () => {
  const buttons = [...document.querySelectorAll('#flame button')];
  const press = (name) => buttons.find((one) => one.textContent.trim() === name).click();
  const settle = async (count) => {
    for (;;) {
      await new Promise(requestAnimationFrame);
      const asked = performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/v1/profile'));
      if (asked.length > count && document.documentElement.dataset.ready) return asked.at(-1).responseEnd;
    }
  };
  const count = performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/v1/profile')).length;
  press('CPU');
  await settle(count);
  press('Wall');
  const arrived = await settle(count + 1);
  return performance.now() - arrived;
}"""
#: Through the rows as a wheel does, a notch a frame; how long each frame took.
_SCROLL = """async () => {
  const took = [];
  let before = performance.now();
  for (let i = 0; i < 120; i++) {
    scrollBy(0, 120);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    took.push(now - before);
    before = now;
  }
  const drawn = document.querySelectorAll('tr[data-row]').length;
  return { took: took.sort((a, b) => a - b), drawn, rows: Number(document.querySelector('table').ariaRowCount ?? 0) };
}"""


def fill(path: Path) -> None:
    """The made-up day, one endpoint with a wide and deep profile, and ten thousand of the last hour."""
    make(path, 6000)
    store = SQLiteStore(str(path), process(), 4 * 2**30)
    now = time.time_ns()
    stacks = [
        tuple(
            Frame(
                f"step_{chain}_{depth}", f"part{chain % 30}.py", depth + 1, "app", f"/srv/part{chain % 30}.py"
            )
            for depth in range(DEPTH)
        )
        for chain in range(CHAINS)
    ]
    for first in range(0, CHAINS, 30):
        samples = [
            SampleRecord(n * 10**7, 10**7, stack, 0) for n, stack in enumerate(stacks[first : first + 30])
        ]
        store.write([record(WIDE, at=now - 10**9, duration_ns=3 * 10**8, samples=samples, kept="slow")], {})
    for first in range(0, STORED, 500):
        store.write(
            [
                record(
                    f"GET /shop/part-{n}/<int:id>",
                    at=now - (n % 3000) * 10**9,
                    samples=[],
                    insights=[],
                    kept=None,
                )
                for n in range(first, min(first + 500, STORED))
            ],
            {},
        )
    store.close()
    _double(path)


def _double(path: Path) -> None:
    """A store takes 5,000 endpoints; the pages are built for twice as many, as several stores in one would be."""
    with closing(sqlite3.connect(path)) as db:
        parts = "SELECT id FROM endpoints WHERE name LIKE 'GET /shop/part-%'"
        (most,) = db.execute("SELECT max(id) FROM endpoints").fetchone()
        columns = [row[1] for row in db.execute("PRAGMA table_info(rollups)")]
        copied = ", ".join("endpoint_id + ?1" if name == "endpoint_id" else name for name in columns)
        db.execute(
            f"INSERT INTO rollups SELECT {copied} FROM rollups WHERE endpoint_id IN ({parts})", (most,)
        )
        db.execute(
            "INSERT INTO endpoints SELECT id + ?1, service, kind, name || 'again', view FROM endpoints"
            f" WHERE id IN ({parts})",
            (most,),
        )
        db.commit()


@contextmanager
def dashboard() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "apm.db"
        fill(path)
        with alone(f"sqlite:///{path}", Path(folder)) as mount:
            yield mount


def load(browser: Browser, address: str) -> tuple[Page, dict[str, Any]]:
    """A page opened by a browser that knows nothing of it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    context.add_init_script(_WATCH)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page, page.evaluate(_TOLD)


def weights() -> dict[str, int]:
    """Page → gzip of the scripts that come first."""
    manifest = json.loads((FOLDER / "manifest.json").read_bytes())
    return {
        page: sum(len(gzip.compress((FOLDER / name).read_bytes(), 6)) for name in known["modules"])
        for page, known in manifest["pages"].items()
    }


def measured(browser: Browser, address: str, loads: int) -> dict[str, float]:
    """The medians of several loads; the first of all warms the server and is not counted."""
    rows = []
    for turn in range(loads + 1):
        page, told = load(browser, address)
        page.context.close()
        if turn:
            rows.append(told)
    return {
        name: statistics.median(row[name] or 0 for row in rows) for name in ("paint", "interactive", "json")
    }


def once(browser: Browser, address: str, script: str, loads: int) -> list[Any]:
    """What a script tells of a page, on several loads."""
    told = []
    for _ in range(loads):
        page, _first = load(browser, address)
        told.append(page.evaluate(script))
        page.context.close()
    return told


def report(mount: str, loads: int, only: list[str]) -> str:
    sizes = weights()
    lines = ["| page | first JS | first paint | interactive | JSON |", "|---|---:|---:|---:|---:|"]
    known = {**addresses(mount), "endpoint": f"endpoint?name={quote(WIDE)}&range=24h"}
    with chromium() as browser:
        for page, address in known.items():
            if only and page not in only:
                continue
            row = measured(browser, mount + address, loads)
            lines.append(
                f"| {page} | {sizes[page] / 1000:.1f} kB | {row['paint']:.0f} ms | {row['interactive']:.0f} ms"
                f" | {row['json'] / 1000:.0f} kB |"
            )
            print(lines[-1], flush=True)
        lines.append("")
        if not only or "endpoint" in only:
            flame = statistics.median(once(browser, mount + known["endpoint"], _FLAME, loads))
            lines.append(
                f"- A flame graph of {CHAINS * DEPTH:,} frames: {flame:.0f} ms from the last byte of its profile to"
                " the frame that shows it, reading the JSON, laying out and drawing."
            )
            print(lines[-1], flush=True)
        if not only or "endpoints" in only:
            (all_rows,) = once(browser, f"{mount}endpoints?range=24h&rows=all", _SCROLL, 1)
            took = all_rows["took"]
            lines.append(
                f"- Scrolling through {all_rows['rows'] - 1:,} rows, a notch of the wheel a frame: half of the frames"
                f" within {took[len(took) // 2]:.0f} ms, 95 of 100 within {took[len(took) * 95 // 100]:.0f} ms, with"
                f" {all_rows['drawn']} rows in the document."
            )
            print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with dashboard() as mount:
        table = report(mount, options.loads, options.only)
    if options.write:
        text = DOC.read_text("utf-8")
        before, after = text.partition(BEGIN)[0], text.partition(END)[2]
        python = platform.python_version()
        cores, busy = os.cpu_count() or 1, os.getloadavg()[0]
        note = (
            f"Medians of {options.loads} cold loads, Python {python}, {cores} cores; {busy:.0f} programs wanted to run"
            " meanwhile, of which this needs two."
        )
        DOC.write_text(f"{before}{BEGIN}\n{table}\n\n{note}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
