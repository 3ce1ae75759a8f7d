"""Jinja2: a span a template rendered or compiled; what it includes or extends is part of it."""

from __future__ import annotations

from typing import Any

from apm_agent.instruments.rows import Timed
from apm_agent.instruments.support import Support
from apm_agent.model.span import Span


def template(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Named as the loader found it."""
    span.name = instance.name or "<string>"


def source(span: Span, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``Environment.compile(source, name=None, …)``."""
    span.name = f"compile {(args[1] if len(args) > 1 else kwargs.get('name')) or '<string>'}"


PATCHES = (
    Timed("jinja2.environment:Template.render", template, kind="template"),
    Timed("jinja2.environment:Template.render_async", template, kind="template"),
    Timed("jinja2.environment:Template.generate", template, kind="template"),
    Timed("jinja2.environment:Template.generate_async", template, kind="template"),
    Timed("jinja2.environment:Environment.compile", source, kind="template"),
    Timed("jinja2.nativetypes:NativeTemplate.render", template, kind="template"),
    Timed("jinja2.nativetypes:NativeTemplate.render_async", template, kind="template"),
)

#: For docs/supported.md.
SUPPORT = Support(
    "Templates",
    "Jinja2 (sync, async)",
    "patch of `Template.render`, `generate` and their async kin, and of `Environment.compile`",
    "templates rendered and compiled, by name; what they include or extend is part of it",
    ("Jinja2",),
)
