"""Mako templates from a real folder and from texts."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import mako.template
import pytest
from mako.lookup import TemplateLookup
from mako.template import Template

from apm_agent.instruments import patching


@pytest.fixture
def lookup(tmp_path: Path) -> TemplateLookup:
    (tmp_path / "base.html").write_text("<${self.body()}>")
    (tmp_path / "row.html").write_text("${n};")
    (tmp_path / "list.html").write_text(
        "<%inherit file='base.html'/>\n% for n in notes:\n<%include file='row.html' args='n=n'/>\n% endfor\n"
        "<%def name='one(n)'>one ${n}</%def>"
    )
    (tmp_path / "row.html").write_text("<%page args='n'/>${n};")
    (tmp_path / "bad.html").write_text("${1 // n}")
    return TemplateLookup([str(tmp_path)])


def names(spans: list[Any]) -> list[tuple[str, str | None]]:
    assert {span.kind for span in spans} == {"template"}
    return [(span.name, span.parent.name if span.parent else None) for span in spans]


def test_render_and_compile(instruments: None, traced: Any, lookup: TemplateLookup) -> None:
    with traced() as spans:
        assert ";" in lookup.get_template("list.html").render(notes=[1, 2])
        lookup.get_template("list.html").render_unicode(notes=[3])
        assert lookup.get_template("list.html").get_def("one").render(n=1) == "one 1"
        assert Template("hi ${a}").render(a=1) == "hi 1"
    assert names(spans) == [
        ("compile list.html", None),
        ("list.html", None),
        ("compile base.html", "list.html"),
        ("compile row.html", "list.html"),
        ("list.html", None),
        ("list.html", None),
        ("compile <string>", None),
        ("<string>", None),
    ]
    assert spans[1].place[0].co_name == "test_render_and_compile"


def test_r18_errors_close_spans_and_pass_through(
    instruments: None, traced: Any, lookup: TemplateLookup
) -> None:
    with traced() as spans:
        with pytest.raises(ZeroDivisionError):
            lookup.get_template("bad.html").render(n=0)
        with pytest.raises(mako.exceptions.SyntaxException):
            Template("${")
    assert [(span.name, (span.tags or {}).get("error")) for span in spans] == [
        ("compile bad.html", None),
        ("bad.html", "ZeroDivisionError"),
        ("compile <string>", "SyntaxException"),
    ]


def test_r12_r43_templates_are_what_they_were() -> None:
    owners = ((Template, "render"), (Template, "render_unicode"), (mako.template, "_compile"))

    def facts() -> list[Any]:
        functions = [getattr(owner, name) for owner, name in owners]
        return [
            (str(inspect.signature(f)), f.__qualname__, pickle.loads(pickle.dumps(f)) is f) for f in functions
        ]

    objects, before = [vars(owner)[name] for owner, name in owners], facts()
    patching.apply()
    try:
        assert all(
            vars(owner)[name] is not found for (owner, name), found in zip(owners, objects, strict=True)
        )
        assert facts() == before
    finally:
        patching.remove()
    assert all(vars(owner)[name] is found for (owner, name), found in zip(owners, objects, strict=True))
