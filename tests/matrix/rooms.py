"""Environments: one a Python with the newest of everything, and over it a thin one for each set of old versions."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sets import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Seconds pip may take.
_SECONDS = 900
#: Of what the tests ask for: tools that drive no framework or driver under watch.
_LEFT_OUT = (
    *(
        "apm-agent",
        "axe-playwright-python",
        "build",
        "coverage",
        "datasette",
        "gprof2dot",
        "jsonschema",
        "mypy",
    ),
    *(
        "playwright",
        "pytest-django",
        "ruff",
        "schemathesis",
        "snakeviz",
        "tuna",
        "types-requests",
        "viztracer",
    ),
)


class CannotInstallError(Exception):
    """pip found no such versions for this Python; holds what it said."""


def interpreter(version: str) -> Path | None:
    """A Python of that version, on the path or of pyenv; None when there is none."""
    folders = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob(f"{version}.*")
    found = [
        shutil.which(f"python{version}"),
        *(str(folder / "bin" / "python") for folder in sorted(folders)),
    ]
    for one in filter(None, found):
        # A shim may be there without the Python behind it.
        if (
            subprocess.run([one, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode
            == 0
        ):
            return Path(one)
    return None


def newest(python: Path, place: Path) -> None:
    """The environment with the newest of all that the tests ask for, renewed once a day."""
    here = place / "newest"
    wanted = _wanted()
    stamp = here / ".made"
    text = "\n".join((str(datetime.datetime.now(datetime.timezone.utc).date()), *wanted))
    if not stamp.is_file() or stamp.read_text() != text:
        own = _venv(python, here)
        pip(own, "install", "--upgrade", "--upgrade-strategy", "eager", *wanted)
        pip(
            own, "install", "--upgrade", "--no-deps", "arq"
        )  # which asks for a redis older than what is tested
        _path(own, "here", str(ROOT))
        _script(
            here / "bin" / "apm-agent",
            own,
            "import sys; from apm_agent.__main__ import main; sys.exit(main())",
        )
        stamp.write_text(text)


def layer(base: Path, here: Path, pins: tuple[str, ...]) -> Path:
    """An environment with these versions before those of `base`, made once."""
    stamp = here / ".made"
    text = "\n".join((*pins, (base.parents[1] / ".made").read_text()))
    if not stamp.is_file() or stamp.read_text() != text:
        shutil.rmtree(here, ignore_errors=True)
        own = _venv(base, here)
        try:
            _path(own, "newest", _say(base, "import sysconfig; print(sysconfig.get_path('purelib'))"))
            _path(own, "there", str(ROOT))
            pip(own, "install", *pins)
            for script in base.parent.iterdir():
                _taken(script, base, here / "bin" / script.name, own)
        except CannotInstallError:
            shutil.rmtree(here)
            raise
        stamp.write_text(text)
    return here / "bin" / "python"


def versions(python: Path, distributions: tuple[str, ...]) -> dict[str, str]:
    """Of each distribution, what that Python imports."""
    code = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    found: dict[str, str] = json.loads(_say(python, code, *distributions))
    return found


def pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line or "error:" in line]
        raise CannotInstallError("".join(lines[-1:])[-300:] or done.stderr[-300:])


def _wanted() -> list[str]:
    """What pyproject asks for to run, for the demo and for the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = (*project["dependencies"], *extras["demo"], *extras["lines"], *extras["dev"])
    return [line for line in lines if re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0] not in _LEFT_OUT]


def _venv(python: Path, here: Path) -> Path:
    own = here / "bin" / "python"
    if not own.exists():
        subprocess.run([str(python), "-m", "venv", str(here)], check=True, timeout=_SECONDS)
    return own


def _path(python: Path, name: str, folder: str) -> None:
    """Add a folder after the environment's own."""
    own = _say(python, "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(own, f"apm-agent-{name}.pth").write_text(f"{folder}\n")


def _taken(script: Path, base: Path, there: Path, own: Path) -> None:
    """A command of the lower environment, run by the upper one's Python; gunicorn for one."""
    if there.exists() or script.is_symlink() or not script.is_file():
        return
    text = script.read_bytes()
    if text.startswith(b"#!" + os.fsencode(str(base.parent))):
        there.write_bytes(b"#!" + os.fsencode(str(own)) + b"\n" + text.partition(b"\n")[2])
        there.chmod(0o755)


def _script(path: Path, python: Path, code: str) -> None:
    path.write_text(f"#!{python}\n{code}\n")
    path.chmod(0o755)


def _say(python: Path, code: str, *arguments: str) -> str:
    return subprocess.run(
        [str(python), "-c", code, *arguments], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()
