"""A page as one HTML file that opens anywhere: scripts, styles, fonts and what the API answered, nothing loaded."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from apm_agent.errors import QuestionError, StoreError
from apm_agent.exporters.naming import visible
from apm_agent.web import parameters
from apm_agent.web.common import with_common
from apm_agent.web.static import FOLDER

if TYPE_CHECKING:
    from apm_agent.queries.window import Window
    from apm_agent.web.routes import Asked

Given = Mapping[str, str]
Answers = list[dict[str, Any]]
#: Puts a question with its parameters: the answer and its window.
Put = Callable[["Asked", str, Mapping[str, str]], "tuple[Any, Window | None]"]

MARKDOWN = re.compile(r"\[([^]]*)\]\([^)]*\)")
#: Where the file's own size is written once it is known; JSON takes the spaces.
_SIZE = f'"bytes":{0:>12}'
_URL = re.compile(r"""url\(["']?(?:\./)?([A-Za-z0-9_-]+\.woff2)["']?\)""")
_WINDOW = ("range", "from", "to", "service", "release", "host")


class Page(NamedTuple):
    """A page that can be a file: what names it, what it asks, and what else one may ask of it later."""

    title: str
    #: Parameters of the page's own address.
    identity: tuple[str, ...]
    #: Question → further parameters of it, each as the page asks for it.
    asks: tuple[tuple[str, dict[str, str]], ...]
    #: What a click asks, told by the first answer.
    more: Callable[[dict[str, Any]], Iterator[tuple[str, dict[str, str]]]] | None = None
    #: What the first answer knows better than the address.
    known: Callable[[dict[str, Any]], dict[str, str]] = lambda answer: {}
    #: What its name is made of.
    named: Callable[[dict[str, Any]], str] = lambda answer: ""


def _bytecode(answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for block in answer["source"]:
        yield "bytecode", {"file": block["file"], "function": block["function"]}


PAGES: dict[str, Page] = {
    "endpoint": Page(
        "Endpoint", ("name", "kind", *_WINDOW),
        (
            ("endpoint", {}),
            ("profile", {"format": "columnar", "clock": "wall"}),
            ("profile", {"format": "columnar", "clock": "cpu"}),
        ),
        known=lambda answer: {"kind": answer["endpoint"]["kind"]},
        named=lambda answer: str(answer["endpoint"]["name"]),
    ),
    "trace": Page(
        "Trace", ("id",), (("trace", {}),), _bytecode,
        named=lambda answer: f"{answer['trace']['name']} {answer['trace']['id']}",
    ),
    "compare": Page(
        "Compare", ("a", "b", "by", "name", "kind", "b_name", "b_kind", "b_service", *_WINDOW), (("compare", {}),),
        known=lambda answer: {side: answer[side]["label"] for side in ("a", "b")},
        named=lambda answer: f"{answer['a']['label']} and {answer['b']['label']}",
    ),
}  # fmt: skip

PARAMETERS = (
    "page",
    *dict.fromkeys(name for row in PAGES.values() for name in row.identity if name not in _WINDOW),
)


def page(asked: Asked, put: Put) -> tuple[bytes, str]:
    """The file of a page, and what it may be called; `put` answers a question, and raises what that raises."""
    name = parameters.required(asked.given, "page")
    row = PAGES.get(name)
    if row is None:
        raise QuestionError(f"page={name[:40]!r} is not one of {', '.join(PAGES)}")
    given = {key: value for key, value in asked.given.items() if key in row.identity and value}
    answers = _answers(asked, row, given, put)
    first = answers[0]["answer"]
    if first["window"] and first["window"]["range"] and "range" in row.identity:
        given.setdefault("range", first["window"]["range"])
    given |= row.known(first)
    about = visible(row.named(first), 80)
    document = {
        "page": name, "title": row.title, "about": about, "search": f"?{urlencode(given)}", "at": time.time(),
        "version": asked.version, "answers": answers,
    }  # fmt: skip
    return _file(document, f"{about} · {row.title} · apm-agent"), f"{name} {about}"


def least_bytes(folder: Path = FOLDER) -> int | None:
    """How large a file is before any data; None where the pages are not built."""
    try:
        return _Assets(folder).size
    except StoreError:
        return None


def _answers(asked: Asked, row: Page, given: Given, put: Put) -> Answers:
    def ask(question: str, more: dict[str, str]) -> dict[str, Any]:
        answer, window = put(asked, question, {**given, **more})
        answer = with_common(answer, asked.connection, window)
        return {"question": question, "parameters": more, "answer": answer}

    answers = [ask(*row.asks[0])]
    later = row.more(answers[0]["answer"]) if row.more else ()
    for question, more in (*row.asks[1:], *later):
        asked.connection.renew()
        try:
            answers.append(ask(question, more))
        except QuestionError:
            continue  # the page says so where it asks for it
    return answers


class _Assets:
    """What the build made for files: one script with all pages that can be one, the theme, styles and fonts."""

    def __init__(self, folder: Path) -> None:
        try:
            names = json.loads((folder / "manifest.json").read_bytes())["saved"]
            self.script, self.theme, style = (
                (folder / names[each]).read_text("utf-8").strip() for each in ("script", "theme", "style")
            )
            self.icon = _data(folder / names["icon"], "image/svg+xml")
            self.style = _URL.sub(lambda found: f'url("{_data(folder / found[1], "font/woff2")}")', style)
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(f"the pages are not built here, so none can be a file: {error}") from None
        for text in (self.script, self.theme, self.style):
            if re.search(r"</(script|style)|<!--", text, re.IGNORECASE):
                raise StoreError("the pages were built with a script that would end the file's own")

    @property
    def size(self) -> int:
        return sum(map(len, (self.script, self.theme, self.style, self.icon))) + 2000


def _file(document: dict[str, Any], title: str) -> bytes:
    assets = _Assets(FOLDER)
    policy = (
        f"default-src 'none'; script-src {_hashed(assets.theme)} {_hashed(assets.script)}; "
        f"style-src {_hashed(assets.style)}; img-src data:; font-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'"
    )
    # Inside a script element only "<" can end it or begin a comment.
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
    made = _PAGE.format(
        page=document["page"], title=html.escape(title), policy=html.escape(policy), icon=assets.icon,
        theme=assets.theme, style=assets.style, script=assets.script, data=f"{{{_SIZE},{text[1:]}",
    ).encode("utf-8", "replace")  # fmt: skip
    return made.replace(_SIZE.encode(), f'"bytes":{len(made):>12}'.encode(), 1)


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


_PAGE = """<!doctype html>
<html lang="en" data-page="{page}" data-saved>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<link rel="icon" href="{icon}">
<script>{theme}</script>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<div id="app"></div>
<noscript><p class="noscript">This page needs JavaScript; it loads nothing.</p></noscript>
<script type="application/json" id="saved">{data}</script>
<script>{script}</script>
</body>
</html>
"""
