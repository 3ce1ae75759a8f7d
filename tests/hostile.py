"""A store where everything that can be a name is hostile: markup, controls, marks of direction, a megabyte."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

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
from records import process

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
    graph = Callgraph()
    made.callgraph = lambda: graph
    graph.functions = {Node(f"/{text}.py", 7, text): Call(1, 1, 1000, 2000)}
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
