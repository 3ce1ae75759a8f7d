"""R39: names and values from strangers are shown as they are written, and do nothing, on every page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from api import ask
from apm_agent.web.app import dashboard
from chromium import Window
from hostile import HOSTILE, MARKUP, hostile_store
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]

#: What must not reach the document: marks that turn the text around them, and what is not text at all.
UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x08\x0b\x0e-\x1f]")

COUNT_FOREIGN = """() => [
  ...document.querySelectorAll('script:not([src^="static/"]), img:not([src^="static/"]), iframe, object, embed, base'),
  ...[...document.querySelectorAll('a')].filter((a) => !['http:', 'https:'].includes(a.protocol)),
  ...[...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => /^on/.test(a.name))),
].map((element) => element.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module", params=HOSTILE)
def haunted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = hostile_store(tmp_path_factory.mktemp("hostile") / "apm.db", HOSTILE[request.param])
    with served(dashboard(f"sqlite:///{path}")) as server:
        yield server.url


def test_r39_hostile_names_are_only_shown(visit: Callable[..., Window], haunted: str) -> None:
    base = haunted.rstrip("/")
    (row,) = ask(base, "endpoints")["endpoints"]
    (trace,) = ask(base, "traces")["traces"]
    statement = ask(base, "queries")["queries"][0]["id"]
    (error,) = ask(base, "errors")["errors"]
    window = visit(haunted, viewport={"width": 1024, "height": 800})
    pages = {
        "endpoints": "endpoints",
        "endpoint": f"endpoint?name={quote(row['name'])}",
        "traces": "traces",
        "trace": f"trace?id={trace['id']}",
        "queries": "queries",
        "query": f"query?id={statement}",
        "compare": f"compare?a=tx:{trace['id']}&b=range:1h",
        "live": "live",
        "jobs": "jobs",
        "errors": "errors",
        "error": f"error?type={quote(error['type'])}&frame={error['frame'] or ''}",
        "health": "health",
    }
    for name, address in pages.items():
        page = window.open(address)
        assert page.locator(".failure").count() == 0, (name, page.locator(".failure").all_inner_texts())
        assert page.evaluate("window.owned") is None, name
        assert page.evaluate(COUNT_FOREIGN) == [], name
        said = page.evaluate("document.documentElement.innerText") + page.title()
        assert not UNSEEN.search(said), (name, UNSEEN.findall(said))
        assert len(said) < 60_000, name
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, name
    page = window.open(pages["endpoints"])
    page.locator("tr[data-row]").first.locator("td").nth(1).click()
    page.wait_for_url("**/endpoint?*")
    window.settled()
    assert page.locator(".failure").count() == 0, page.locator(".failure").all_inner_texts()


def test_r39_markup_is_shown_as_it_is_written(
    visit: Callable[..., Window], show: Callable[..., str], tmp_path: Path
) -> None:
    window = visit(show(hostile_store(tmp_path / "apm.db", MARKUP)))
    page = window.open("endpoints")
    assert MARKUP in page.locator("tr[data-row] .route").first.inner_text()
    assert window.faults() == []
    for hostile in HOSTILE.values():
        shown = hostile[:3000].encode("utf-8", "replace").decode()
        page = window.open(f"endpoints?q={quote(shown)}&range=15m")
        assert page.evaluate("window.owned") is None
    window.expect("console: Failed to load resource.*400")  # too long to be asked for, and said so
    window.open(f"traces?name={quote(MARKUP)}&kind={quote('web')}")
    assert page.evaluate("window.owned") is None
    assert page.evaluate(COUNT_FOREIGN) == []
    page.keyboard.press("/")
    page.keyboard.insert_text(MARKUP)
    page.locator("#search-hits [role=option]").first.wait_for()
    assert page.evaluate(COUNT_FOREIGN) == []
