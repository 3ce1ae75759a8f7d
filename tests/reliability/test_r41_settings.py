"""R41: every setting is turned by some test, and those that no other test names change what is kept and said."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from apm_agent.config import PREFIX, Config
from apm_agent.queries.detail import unpack
from records import rows
from servers import PYTHON, ROOT, environment

PROGRAM = """
import apm_agent as apm

@apm.background_transaction("nightly")
def nightly():
    for number in range(30):
        with apm.span(f"step {number}"):
            pass

apm.install(SETTINGS)
nightly()
apm.flush()
"""


def run(folder: Path, settings: str) -> tuple[str, dict[str, object]]:
    """What a job's process said, and what is kept of the job."""
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM.replace("SETTINGS", settings))
    done = subprocess.run(
        [PYTHON, "program.py"], cwd=folder, env=environment(), capture_output=True, text=True, check=True
    )
    [(data,)] = rows(folder / ".apm-agent" / "apm.db", "SELECT data FROM traces")
    return done.stderr, unpack(data)


@pytest.mark.server
def test_r41_what_is_set_changes_what_is_kept_and_said(tmp_path: Path) -> None:
    said, usual = run(tmp_path / "usual", "")
    assert (said, usual["callgraph"]) == ("", None)
    steps = [each[2] for each in usual["spans"] if each[2].startswith("step")]  # type: ignore[attr-defined]
    assert len(steps) == 30
    said, turned = run(
        tmp_path / "turned", "max_spans=10, cprofile_share=1.0, slow='1us', log_slow=True, ignore=[]"
    )
    assert "nightly" in said
    assert len(turned["spans"]) == 10  # type: ignore[arg-type]
    assert turned["callgraph"]


def test_r41_every_setting_is_turned_by_a_test() -> None:
    text = "\n".join(
        path.read_text()
        for path in (ROOT / "tests").rglob("*.py")
        if "node_modules" not in path.parts and path.name != "test_config.py"  # which reads them, no more
    )
    for each in fields(Config):
        turned = rf'\b{each.name}\s*=|"{each.name}"|{PREFIX}{each.name.upper()}\b'
        assert re.search(turned, text), f"no test sets {each.name}"
