"""Jinja2 templates from a real folder: rendered whole, streamed, and asynchronously."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import jinja2.nativetypes
import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.html").write_text("<{% block b %}{% endblock %}>")
    (tmp_path / "row.html").write_text("{{ n }};")
    (tmp_path / "list.html").write_text(
        "{% extends 'base.html' %}"
        "{% block b %}{% for n in notes %}{% include 'row.html' %}{% endfor %}{% endblock %}"
    )
    (tmp_path / "bad.html").write_text("{{ 1 // n }}")
    return tmp_path


def names(spans: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(s.kind, s.name, s.parent.name if s.parent else None) for s in spans]


def test_render_and_compile(traced: Any, folder: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True)
    with traced() as spans:
        assert environment.get_template("list.html").render(notes=[1, 2]) == "<1;2;>"
        assert environment.get_template("list.html").render(notes=[3]) == "<3;>"
        assert jinja2.Template("hi {{ a }}").render({"a": 1}) == "hi 1"
    assert names(spans) == [
        ("template", "compile list.html", None),
        ("template", "list.html", None),
        ("template", "compile base.html", "list.html"),
        ("template", "compile row.html", "list.html"),
        ("template", "list.html", None),
        ("template", "compile <string>", None),
        ("template", "<string>", None),
    ]


def test_a_streamed_template_is_open_only_while_it_works(traced: Any, folder: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True)
    template = environment.get_template("list.html")
    with traced() as spans:
        parts = list(template.generate(notes=[1, 2]))
        assert "".join(parts) == "<1;2;>"
        for _ in template.stream(notes=[1]):
            jinja2.Template("consumed")
    parts_of_it = ("base.html", "row.html")
    rendered = [(name, parent) for _, name, parent in names(spans) if not name.endswith(parts_of_it)]
    assert rendered[:2] == [("list.html", None), ("list.html", None)]
    assert set(rendered[2:]) == {("compile <string>", None)}


async def test_async(traced: Any, folder: Path) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, enable_async=True
    )
    template = environment.get_template("list.html")
    with traced() as spans:
        assert await template.render_async(notes=[1, 2]) == "<1;2;>"
        assert "".join([part async for part in template.generate_async(notes=[1])]) == "<1;>"
    assert [name for name in names(spans) if "compile" not in name[1]] == [
        ("template", "list.html", None)
    ] * 2


def test_native(traced: Any) -> None:
    template = jinja2.nativetypes.NativeEnvironment().from_string("{{ a + 1 }}")
    with traced() as spans:
        assert template.render(a=1) == 2
    assert names(spans) == [("template", "<string>", None)]


def test_r18_a_failing_template_closes_its_span_and_its_traceback_names_the_template(
    traced: Any, folder: Path
) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True)
    template = environment.get_template("bad.html")
    with traced() as spans, pytest.raises(ZeroDivisionError) as caught:
        template.render(n=0)
    assert (spans[0].tags or {})["error"] == "ZeroDivisionError"
    assert str(caught.traceback[-1].path).endswith("bad.html")
    with traced() as spans, pytest.raises(jinja2.TemplateSyntaxError):
        environment.from_string("{% if %}")
    assert names(spans) == [("template", "compile <string>", None)]
