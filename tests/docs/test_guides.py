"""The guides do what they say: their files are written, their commands run, and what they print is what is shown."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from apm_agent.cli import COMMANDS
from apm_agent.config import PREFIX, Config
from servers import PYTHON, ROOT, environment

GUIDES = ROOT / "docs" / "guides"
_BLOCK = re.compile(r"^```(\w*) ?([\w.]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: Pytest as a reader has it: with our plugin, without the dozen that our own tests use, which take seconds to load.
_PYTEST = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "apm_agent.testing.plugin"}

pytestmark = pytest.mark.server


def blocks(path: Path) -> list[tuple[str, str, str]]:
    """Language, file name and text of each box of a page."""
    return _BLOCK.findall(path.read_text())


RUN = [path for path in sorted(GUIDES.glob("*.md")) if any(kind == "console" for kind, *_ in blocks(path))]


def pattern(line: str) -> str:
    """Numbers and … may be anything."""
    return re.sub(r"\d+(?:\\\.\d+)?", r"[\\d.]+", re.escape(line)).replace("…", ".*").replace(r"\ .*\ ", ".*")


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_its_boxes_run(path: Path, tmp_path: Path) -> None:
    env = environment(PATH=f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}", COLUMNS="200", **_PYTEST)
    for kind, name, text in blocks(path):
        if name:
            (tmp_path / name).write_text(text)
        elif kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, *shown = part.splitlines()
                done = subprocess.run(
                    ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120,
                    check=False,
                )  # fmt: skip
                said = done.stdout + done.stderr
                wanted = ".*".join(pattern(line.strip()) for line in shown if line.strip())
                assert re.search(wanted, said, re.DOTALL), f"$ {command}\n{said}\nwanted {wanted}"
                assert "Traceback" not in said or "pytest" in command, said


@pytest.mark.parametrize(
    "path", [*sorted(GUIDES.glob("*.md")), ROOT / "README.md"], ids=lambda path: path.stem
)
def test_every_name_in_it_exists(path: Path) -> None:
    text = path.read_text()
    known = {f"{PREFIX}{each.name.upper()}" for each in fields(Config)}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", text)) <= known
    commands = set(
        re.findall(r"\bapm-agent ([a-z]+)\b", "\n".join(re.findall(r"`[^`]+`|^\$ .*$", text, re.MULTILINE)))
    )
    assert commands <= set(COMMANDS), commands
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (path.parent / target).exists(), f"{path.name} leads to {target}, which is not there"
