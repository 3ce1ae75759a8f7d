"""Mako: a span a template rendered or compiled; what it includes or inherits is part of it."""

from __future__ import annotations

from typing import Any

from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span


def template(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``Template.render(…)``, and of one def of a template."""
    span.name = _name(instance)


def source(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``_compile(template, text, …)``."""
    span.name = f"compile {_name(args[0])}"


def _name(template: Any) -> str:
    uri = getattr(template, "uri", None) or getattr(getattr(template, "parent", None), "uri", None)
    # One made of a text is called by its address in memory.
    return uri if isinstance(uri, str) and not uri.startswith("memory:") else "<string>"


PATCHES = (
    Timed("mako.template:Template.render", template, kind="template"),
    Timed("mako.template:Template.render_unicode", template, kind="template"),
    Timed("mako.template:_compile", source, kind="template"),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Templates",
    "Mako",
    "patch of `Template.render`, `render_unicode` and of the compiler",
    "templates rendered and compiled, by the name the lookup knows; includes and inheritance are part of it",
    ("Mako",),
)
