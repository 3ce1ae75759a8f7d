"""docs/matrix.md is what was kept, every set's tests are there, and no line of docs/tested.json is in no set."""

from __future__ import annotations

import subprocess

from servers import PYTHON, ROOT, environment


def test_the_sets_and_the_page_fit() -> None:
    done = subprocess.run(
        [PYTHON, "tests/matrix", "--check"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_unknown_set_is_named() -> None:
    done = subprocess.run(
        [PYTHON, "tests/matrix", "--only", "flsk"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no set 'flsk'; sets are frameworks, libraries, flask" in done.stderr
