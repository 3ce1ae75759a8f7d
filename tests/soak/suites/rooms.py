"""A project's sources at the version our own tests use, and an environment made for its tests alone."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

from suites import Suite

ROOT = Path(__file__).resolve().parents[3]
PLACE = ROOT / ".venv-suites"
#: What people running the tests need not wait for.
_SECONDS = 600


class Room(NamedTuple):
    """Where a suite lives."""

    suite: Suite
    version: str
    sources: Path
    python: Path


def make(suite: Suite) -> Room:
    """The room of a suite; made once for a version. Raises `CalledProcessError` where pip cannot."""
    version = importlib.metadata.version(suite.package)
    here = PLACE / f"{suite.package}-{version}"
    sources = here / "sources"
    python = here / "env" / "bin" / "python"
    stamp = here / ".made"
    asked = "\n".join((*suite.needs, *_ours()))
    if not stamp.is_file() or stamp.read_text() != asked:
        here.mkdir(parents=True, exist_ok=True)
        if not sources.is_dir():
            _fetch(f"{suite.package}=={version}", here, sources)
        if not python.exists():
            _do(sys.executable, "-m", "venv", str(here / "env"))
        _pip(python, "install", str(sources), *suite.needs, *_ours())
        # The agent as it stands here: neither built nor copied.
        folder = _say(python, "import sysconfig; print(sysconfig.get_path('purelib'))")
        (Path(folder) / "apm-agent-here.pth").write_text(f"{ROOT}\n")
        stamp.write_text(asked)
    return Room(suite, version, sources, python)


def _fetch(asked: str, here: Path, sources: Path) -> None:
    """The source archive from the package index; those of all four carry their tests."""
    # The name of the archive is the project's own to choose.
    _pip(
        Path(sys.executable),
        "download",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
        str(here / "sdist"),
        asked,
    )
    (archive,) = (here / "sdist").glob("*.tar.gz")
    unpacked = here / "unpacked"
    with tarfile.open(archive) as packed:
        packed.extractall(unpacked, filter="data")
    (top,) = unpacked.iterdir()
    top.rename(sources)
    unpacked.rmdir()


def _ours() -> list[str]:
    """What the agent itself needs."""
    return [
        need
        for need in importlib.metadata.requires("apm-agent") or ()
        if "extra ==" not in need.partition(";")[2]
    ]


def _pip(python: Path, *arguments: str) -> None:
    _do(str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments)


def _do(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_SECONDS)


def _say(python: Path, code: str) -> str:
    return subprocess.run(
        [str(python), "-c", code], check=True, capture_output=True, text=True, timeout=_SECONDS
    ).stdout.strip()
