"""What users see: names, signatures, and that README tells the truth about them."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import apm_agent
from apm_agent.config import PREFIX, Config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_all_equals_what_is_exposed() -> None:
    exposed = {
        name
        for name, value in vars(apm_agent).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "").startswith("apm_agent")
    }
    assert exposed == set(apm_agent.__all__)
    assert list(apm_agent.__all__) == sorted(apm_agent.__all__)


def test_every_public_name_says_what_it_is() -> None:
    for name in apm_agent.__all__:
        assert inspect.getdoc(getattr(apm_agent, name)), name


def test_readme_lists_every_public_name() -> None:
    for name in apm_agent.__all__:
        assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", README), f"README does not mention {name}"


def test_readme_settings_table_is_the_declaration() -> None:
    rows = {
        match[1]: (match[2], match[3])
        for match in re.finditer(r"^\| `(\w+)` \| `(\w+)` \| [^|]*\| (.*?) \|$", README, re.MULTILINE)
    }
    declared = {f.name: (PREFIX + f.name.upper(), f.metadata["doc"]) for f in fields(Config)}
    assert rows == declared


def test_signatures() -> None:
    shown = {
        name: str(inspect.signature(getattr(apm_agent, name)))
        for name in ("install", "flush", "wsgi", "asgi")
    }
    assert shown == {
        "install": "(**settings: 'Any') -> 'None'",
        "flush": "(timeout: 'float' = 2.0) -> 'bool'",
        "wsgi": "(app: 'Callable[..., Any]', **settings: 'Any') -> 'Callable[..., Any]'",
        "asgi": "(app: 'Callable[..., Any]', **settings: 'Any') -> 'Callable[..., Any]'",
    }


def test_changelog_names_the_version() -> None:
    assert f"[{apm_agent.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
