"""The wheel in an environment of its own: what it holds, that it finds a slow line with no edit, and that it goes."""

from __future__ import annotations

import subprocess
import sys
from email.parser import Parser
from pathlib import Path

import pytest

from empty_room import Room, finds_the_slow_line
from servers import ROOT, environment
from wheels import metadata, wheel_lacks_or_adds

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(pip, check=True, env=environment(), capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def room(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Room:
    made = Room(tmp_path_factory.mktemp("room"))
    made.pip("install", "--quiet", str(wheel), "gunicorn")
    return made


def test_it_holds_what_belongs_and_nothing_else(wheel: Path) -> None:
    assert wheel_lacks_or_adds(wheel, ROOT) == {"missing": set(), "too much": set()}


def test_an_index_takes_it(wheel: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(wheel)],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_metadata_say_what_it_is(wheel: Path) -> None:
    told = Parser().parsestr(metadata(wheel))
    assert told["Name"] == "apm-agent"
    assert told["License-Expression"] == "MIT"
    assert told["Requires-Python"] == ">=3.10"
    assert told["Description-Content-Type"] == "text/markdown"
    kinds = set(told.get_all("Classifier", []))
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)} <= kinds
    assert {"Typing :: Typed", "Intended Audience :: Developers"} <= kinds
    # Without an extra it brings four libraries.
    always = [one for one in told.get_all("Requires-Dist", []) if "extra ==" not in one]
    assert sorted(one.partition(">")[0] for one in always) == ["a2wsgi", "click", "sqlite-utils", "werkzeug"]


def test_it_brings_no_module_of_another_name(room: Room, tmp_path: Path) -> None:
    (tmp_path / "dashboard.py").write_text("mine = True")
    code = "import apm_agent, dashboard; print(dashboard.mine)"
    done = room.run(str(room.python), "-c", code, cwd=tmp_path)
    assert done.stdout == "True\n", done.stderr


def test_an_app_with_no_edit_under_gunicorn_shows_its_slow_line(room: Room, tmp_path: Path) -> None:
    finds_the_slow_line(room, tmp_path)
    doctor = room.run(room.script("apm-agent"), "doctor", cwd=tmp_path)
    assert doctor.returncode == 0, doctor.stdout
    demo = room.run(room.script("apm-agent"), "demo", cwd=tmp_path)
    assert demo.returncode == 2
    assert "pip install 'apm-agent[demo]'" in demo.stderr


def test_nothing_of_it_stays(room: Room, wheel: Path, tmp_path: Path) -> None:
    assert room.run(room.script("apm-agent"), "--version", cwd=tmp_path).returncode == 0
    room.pip("uninstall", "--quiet", "--yes", "apm-agent")
    try:
        assert room.orphans() == set()
        gone = room.run(str(room.python), "-c", "import apm_agent", cwd=tmp_path)
        assert "No module named 'apm_agent'" in gone.stderr
    finally:
        room.pip("install", "--quiet", "--no-deps", "--no-index", str(wheel))  # other tests come in any order
