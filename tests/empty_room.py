"""An empty environment that a wheel is put into, used as people use it, and taken out of again."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from api import ask_until
from servers import environment, free_port, running

APP = """
import sqlite3

connection = sqlite3.connect(":memory:")
connection.execute("CREATE TABLE customer (id INTEGER)")
connection.executemany("INSERT INTO customer VALUES (?)", [(number,) for number in range(5000)])

def app(environ, start_response):
    for number in range(50):
        connection.execute("SELECT id FROM customer WHERE id = ?", (number,)).fetchall()  # N+1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"orders"]
"""
N1 = next(n for n, line in enumerate(APP.splitlines(), 1) if line.endswith("# N+1"))

#: Said by the environment's own Python: what lies in it and belongs to nothing that is installed.
_ORPHANS = """
import importlib.metadata, json, pathlib, sysconfig
site = pathlib.Path(sysconfig.get_path("purelib"))
owned = set()
for each in importlib.metadata.distributions(path=[str(site)]):
    owned.update((site / file).resolve() for file in each.files or ())
found = []
for path in site.rglob("*"):
    source = path.parent.parent / (path.name.partition(".")[0] + ".py")
    known = path.resolve() in owned or path.suffix == ".pyc" and source.resolve() in owned
    if path.is_file() and not known or path.is_dir() and not any(path.iterdir()):
        found.append(str(path.relative_to(site)))
scripts = pathlib.Path(sysconfig.get_path("scripts"))
print(json.dumps(found + [path.name for path in scripts.iterdir() if "apm" in path.name]))
"""


class Room:
    """A virtual environment in `folder`; `pip()` and `run()` work in it."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        self._scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
        self.python = self._scripts / "python"

    def script(self, name: str) -> str:
        """The path of a command in it, for the environment is never active."""
        return str(self._scripts / name)

    def pip(self, *arguments: str) -> None:
        """Raises with what pip printed where pip failed."""
        command = [str(self.python), "-m", "pip", "--disable-pip-version-check", *arguments]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False
        )

    def orphans(self) -> set[str]:
        """Files, empty folders and commands that nothing installed answers for."""
        done = self.run(str(self.python), "-c", _ORPHANS, cwd=self._scripts)
        assert done.returncode == 0, done.stderr
        return set(json.loads(done.stdout))


def finds_the_slow_line(room: Room, folder: Path) -> None:
    """An application that knows nothing of us, two workers, twenty requests: the line of its N+1 is told."""
    (folder / "shop.py").write_text(APP)
    port, shown = free_port(), free_port()
    command = [room.script("apm-agent"), "run", "--port", str(shown), "gunicorn", "--workers", "2"]
    command += ["--bind", f"127.0.0.1:{port}", "shop:app"]
    with running(command, port=port, cwd=folder) as program:
        for _ in range(20):
            urllib.request.urlopen(program.url, timeout=20).read()
        found = ask_until(
            f"http://127.0.0.1:{shown}", "endpoints", lambda answer: answer["total"]["count"] == 20
        )
        assert [row["where"] for row in found["endpoints"]] == [f"shop.py:{N1}"], program.output
