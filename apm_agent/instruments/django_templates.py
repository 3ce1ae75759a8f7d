"""Django's templates: a span a template rendered, includes as children."""

from __future__ import annotations

from typing import Any

from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span


def template(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Named as the loader found it."""
    span.name = instance.name or "<string>"


def source(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Compiling happens as a template is made."""
    span.name = f"compile {instance.origin.template_name or '<string>'}"


PATCHES = (
    Timed("django.template.base:Template.render", template, kind="template"),
    Timed("django.template.base:Template.compile_nodelist", source, kind="template"),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Templates",
    "Django's templates",
    "patch of `Template.render` and `compile_nodelist`",
    "templates rendered and compiled, by name; includes as spans below",
    ("Django",),
)
