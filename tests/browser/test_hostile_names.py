"""R39: names and values from strangers are shown as they are written, and do nothing, on every page."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from api import ask
from apm_agent.config import Config
from apm_agent.insights import INSIGHTS
from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.origin import Origin
from apm_agent.model.profile import Sample
from apm_agent.model.span import Span
from apm_agent.model.transaction import Failure, Transaction
from apm_agent.plans.keeping import Asked, keep
from apm_agent.plans.plan import Plan, Step
from apm_agent.recording.digest import Digest
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from chromium import Window
from records import process
from running import served

pytestmark = [pytest.mark.browser, pytest.mark.server]

MARKUP = '<script>window.owned=1</script><img src=x onerror="window.owned=1">\'"&amp;{{7*7}}'
HOSTILE = {
    "markup": MARKUP,
    "nul": "a\x00b\x1b[31m\x07\r\nc",
    "bidi": "safe\u202egnp.exe\u2066\u200f\u202d",
    "long": "L" * 1_000_000,
    "surrogates": "half \ud83d pair \udcff",
    "address": "javascript:window.owned=1//../../?a=b#c",
    "object": "__proto__",
    "wide": "\u0e48" * 500 + "界" * 500 + "\U0001f600" * 200,
}
#: What must not reach the document: marks that turn the text around them, and what is not text at all.
UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x08\x0b\x0e-\x1f]")

COUNT_FOREIGN = """() => [
  ...document.querySelectorAll('script:not([src^="static/"]), img:not([src^="static/"]), iframe, object, embed, base'),
  ...[...document.querySelectorAll('a')].filter((a) => !['http:', 'https:'].includes(a.protocol)),
  ...[...document.querySelectorAll('*')].filter((e) => [...e.attributes].some((a) => /^on/.test(a.name))),
].map((element) => element.outerHTML.slice(0, 200))"""


def hostile_store(path: Path, text: str) -> Path:
    """A store where everything that can be a name is `text`, as the agent itself writes it."""
    code = (lambda: None).__code__.replace(co_name=text, co_filename=f"/{text}.py")
    now = time.monotonic_ns()
    made = Transaction("web", f"GET /{text}", now - 50_000_000)
    made.end_ns, made.ended = now, True
    made.method, made.path, made.view, made.status = "GET", f"/{text}", text, 500
    made.failure = Failure(text, text, (code, 0))
    made.context = {text: text, "list": [text, {text: text}]}
    made.overflow = {("db", text): [3, 1_000_000]}
    made.samples = [Sample(now - at * 10_000_000, 10_000_000, (code, 0, code, 0), 0) for at in (3, 2, 1)]
    for number in range(12):
        span = Span(made, None, "db", text, now - 48_000_000 + number * 3_000_000)
        span.end_ns, span.place = span.start_ns + 2_500_000, (code, 0)
        span.statement, span.tags = f"SELECT '{text}' FROM \"{text}\"", {text: text}
        made.spans.append(span)
    made.callgraph = Callgraph()
    made.callgraph.functions = {Node(f"/{text}.py", 7, text): Call(1, 1, 1000, 2000)}
    digest = Digest(Config(), Origin(), INSIGHTS)
    who = process(service=text, environment=text, release=text, host=text, python=text, app_root=text)
    store = SQLiteStore(str(path), who, 2**30)
    state = {
        "instruments": [{"name": text, "state": text, "detail": text}],
        "contained": [{"what": text, "error": text, "count": 1}],
        "settings": {text: text},
    }
    store.write([digest.digest(made)], state)
    store.close()
    clean = text.encode("utf-8", "replace").decode()
    plan = Plan((Step(3, text, (text, text), 7.0, 1.5, True), Step(0, text)), clean, clean)
    with closing(sqlite3.connect(path)) as db:
        (statement,) = db.execute("SELECT id FROM statements LIMIT 1").fetchone()
    for at in (1, 2):
        assert keep(str(path), Asked(statement, clean, "shop", at), plan) is None
    return path


@pytest.fixture(scope="module", params=HOSTILE)
def haunted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = hostile_store(tmp_path_factory.mktemp("hostile") / "apm.db", HOSTILE[request.param])
    with served(dashboard(f"sqlite:///{path}")) as server:
        yield f"http://{server.host}:{server.port}/"


def test_r39_hostile_names_are_only_shown(visit: Callable[..., Window], haunted: str) -> None:
    base = haunted.rstrip("/")
    (row,) = ask(base, "endpoints")["endpoints"]
    (trace,) = ask(base, "traces")["traces"]
    statement = ask(base, "queries")["queries"][0]["id"]
    window = visit(haunted, viewport={"width": 1024, "height": 800})
    pages = {
        "endpoints": "endpoints",
        "endpoint": f"endpoint?name={quote(row['name'])}",
        "traces": "traces",
        "trace": f"trace?id={trace['id']}",
        "queries": "queries",
        "query": f"query?id={statement}",
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
