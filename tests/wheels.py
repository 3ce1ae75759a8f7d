"""What belongs into the wheel and the sdist, name by name, read from the folder they are built from."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

_STATIC = "apm_agent/web/static/"
_INFO = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
#: Folders whose every file belongs into the sdist, so that whoever has it can build and test.
_SDIST = ("apm_agent", "benchmarks", "dashboard", "docs", "example_apps", "tests")
_BESIDE = (
    "PKG-INFO", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml",
    ".ci/run",
)  # fmt: skip
_NEVER = ("__pycache__", "node_modules", "static", ".apm-agent")


def wheel_lacks_or_adds(wheel: Path, tree: Path) -> dict[str, set[str]]:
    """Names that are missing in the wheel and names that do not belong; empty sets where all is right."""
    with zipfile.ZipFile(wheel) as content:
        names = {name for name in content.namelist() if not name.endswith("/")}
        manifest = json.loads(content.read(f"{_STATIC}manifest.json"))
    version = wheel.name.split("-")[1]
    right = {
        *(f"apm_agent/{name}" for name in _files(tree / "apm_agent")),
        *(f"apm_agent/cli/example_apps/{name}" for name in _files(tree / "example_apps")),
        *(f"{_STATIC}{name}" for name in (*manifest["files"], "manifest.json")),
        *(f"apm_agent-{version}.dist-info/{name}" for name in _INFO),
    }
    return {"missing": right - names, "too much": names - right}


def sdist_lacks_or_adds(sdist: Path, tree: Path) -> dict[str, set[str]]:
    """The same of the sdist: all that is needed to build and test, built pages included."""
    with tarfile.open(sdist) as content:
        names = {member.name.partition("/")[2] for member in content.getmembers() if member.isfile()}
        top = sdist.name.removesuffix(".tar.gz")
        stored = content.extractfile(f"{top}/{_STATIC}manifest.json")
        assert stored is not None
        manifest = json.load(stored)
    right = {
        *(f"{folder}/{name}" for folder in _SDIST for name in _files(tree / folder)),
        *(f"{_STATIC}{name}" for name in (*manifest["files"], "manifest.json")),
        *_BESIDE,
    }
    return {"missing": right - names, "too much": names - right}


def metadata(wheel: Path) -> str:
    """The text of its METADATA."""
    with zipfile.ZipFile(wheel) as content:
        name = next(name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        return content.read(name).decode()


def _files(folder: Path) -> list[str]:
    """Its files, without what was built or is a cache."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not {*path.relative_to(folder).parts[:-1]} & {*_NEVER}
    ]
