"""An environment of its own for each peer, made when first asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ROOT / ".venv-peers"
_FRAMEWORKS = ("flask", "django", "starlette")
#: Files in watch/, in the order of the tables.
PEERS = (
    "ours", "ours_cprofile", "ours_everything", "scout", "elastic", "newrelic_", "datadog", "sentry", "opentelemetry_",
    "logfire_", "silk", "flask_dashboard", "pyinstrument_", "werkzeug_",
)  # fmt: skip


def python(peer: ModuleType) -> str:
    """The interpreter of a peer's environment, with the peer and the frameworks installed."""
    requires = [each.format(root=ROOT) for each in peer.REQUIRES]
    first = "apm-agent" if requires[0] == str(ROOT) else re.split(r"[\[<>=]", requires[0])[0].lower()
    room = ROOMS / first
    path = room / "bin" / "python"
    stamp = room / "requires.txt"
    wanted = "\n".join(requires)
    fresh = first != "apm-agent" and stamp.exists() and stamp.read_text() == wanted
    if not fresh:
        if not path.exists():
            subprocess.run([sys.executable, "-m", "venv", str(room)], check=True)
        print(f"installing {peer.TITLE} …", file=sys.stderr, flush=True)
        pip = [str(path), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *_FRAMEWORKS, *requires], check=True)
        stamp.write_text(wanted)
    return str(path)


def servers(path: str) -> None:
    """Install what serves, once."""
    if subprocess.run([path, "-c", "import gunicorn, uvicorn"], capture_output=True, check=False).returncode:
        pip = [path, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "gunicorn", "uvicorn"], check=True)


def version(peer: ModuleType) -> str:
    """Of the peer, as its environment says."""
    name = "apm-agent" if peer.REQUIRES[0] == "{root}" else re.split(r"[\[<>=]", peer.REQUIRES[0])[0]
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    asked = subprocess.run([python_of(peer), "-c", code], capture_output=True, text=True, check=True)
    return asked.stdout.strip()


def python_of(peer: ModuleType) -> str:
    """As `python`, of an environment that is there."""
    first = "apm-agent" if peer.REQUIRES[0] == "{root}" else re.split(r"[\[<>=]", peer.REQUIRES[0])[0].lower()
    return str(ROOMS / first / "bin" / "python")
