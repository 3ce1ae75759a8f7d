"""R13: what we depend on cannot break an application, whether it is missing, broken at import or too old."""

from __future__ import annotations

import ast
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from records import older_file
from servers import environment, free_port, running

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
#: What we require, by the name it is imported as, and the only places of ours that may import it.
REQUIRED = {
    "a2wsgi": ("web/asgi.py",),
    "click": ("cli/",),
    "sqlite_utils": ("store/migrations.py",),
    "werkzeug": ("web/", "cli/"),
}
BREAKS = {
    "missing": "raise ModuleNotFoundError(f'No module named {__name__!r}', name=__name__)",
    "broken": "raise RuntimeError(f'this {__name__} is for another Python')",
    "other": "",  # it can be imported, and has nothing of what is asked of it
}


def requirements() -> dict[str, str]:
    """Import name → what follows the name in pyproject."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pairs = (re.match(r"([\w-]+)(.*)", line) for line in project["dependencies"])
    return {pair[1].replace("-", "_"): pair[2] for pair in pairs if pair is not None}


def test_r13_few_are_required_and_none_is_held_below_a_version() -> None:
    """An upper bound would keep an application from its own versions; a pin is one on both sides."""
    assert set(requirements()) == set(REQUIRED)
    for name, bound in requirements().items():
        assert re.fullmatch(r">=[\d.]+", bound), f"{name}{bound}"
    page = (ROOT / "docs" / "supported.md").read_text().lower()
    for name, bound in requirements().items():
        assert f"| {name.replace('_', '-')} {bound[2:]} |" in page, "the page says what each is for"


def test_r13_each_is_imported_only_where_it_is_for() -> None:
    for path in sorted((ROOT / "apm_agent").rglob("*.py")):
        where = path.relative_to(ROOT / "apm_agent").as_posix()
        if "example_apps" in where:
            continue
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )  # fmt: skip
            for name in {each.partition(".")[0] for each in names} & set(REQUIRED):
                assert where.startswith(REQUIRED[name]), f"{where} imports {name}"
                assert name != "sqlite_utils" or node not in tree.body, f"{where} imports {name} at its top"


REQUESTS = """
import io, json, sys
import apm_agent
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
seen = lambda: sorted({"a2wsgi", "click", "sqlite_utils", "werkzeug"} & set(sys.modules))
wsgi, asgi = apm_agent.wsgi(app, dashboard_path="/apm"), apm_agent.asgi(asgi)
told = [seen()]
environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
assert list(wsgi(environ, lambda *args: None)) == [b"ok"]
async def receive(): return {"type": "http.request"}
async def send(message): pass
import asyncio
asyncio.run(asgi({"type": "http", "path": "/", "method": "GET", "headers": [], "query_string": b""}, receive, send))
told.append(seen())
assert apm_agent.flush(20)
told.append(seen())
print(json.dumps(told))
"""


def test_r13_a_process_that_serves_loads_none_of_them_but_to_make_the_tables(tmp_path: Path) -> None:
    def loaded() -> list[list[str]]:
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", REQUESTS], capture_output=True, text=True, timeout=60, check=False,
            env=environment(APM_AGENT_STORE=f"sqlite:///{tmp_path}/apm.db"), cwd=tmp_path,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        assert run.stderr == ""
        found: list[list[str]] = json.loads(run.stdout)
        return found

    older_file(tmp_path / "apm.db")
    # sqlite-utils brings click, for a command line of its own.
    assert loaded() == [["click", "sqlite_utils"]] * 3, (
        "the first process after an upgrade changes the tables"
    )
    assert loaded() == [[], [], []]


@pytest.fixture(params=BREAKS)
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder that stands before the libraries, and breaks each of what we require."""
    folder = tmp_path / "broken"
    for name in REQUIRED:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(BREAKS[request.param])
    return folder


WSGI = """
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
def app(environ, start_response):
    start_response("201 Made", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Date", "today")])
    yield b"byte "
    yield environ["PATH_INFO"].encode()
class Quiet(WSGIRequestHandler):
    def log_message(self, *args): pass
WATCH
make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Quiet).serve_forever()
"""
ASGI = """
import asyncio, sys
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route
async def hello(request):
    async def body():
        yield b"byte "
        yield request.url.path.encode()
    return StreamingResponse(body(), 201, {"set-cookie": "a=1"})
app = Starlette(routes=[Route("/{rest:path}", hello)])
WATCH
config = Config()
config.bind = ["127.0.0.1:" + sys.argv[1]]
config.include_date_header = False
asyncio.run(serve(app, config))
"""
WATCHES = {
    "wsgi": (WSGI, "import apm_agent\napp = apm_agent.wsgi(app, dashboard_path='/apm', flush_interval=0.05)"),
    "asgi": (ASGI, "import apm_agent\napp = apm_agent.asgi(app, dashboard_path='/apm', flush_interval=0.05)"),
}


def ask(port: int, path: str) -> bytes:
    """The answer, as the bytes that came."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: here\r\n\r\n".encode())
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


@pytest.mark.server
@pytest.mark.parametrize("kind", WATCHES)
def test_r13_an_application_answers_byte_for_byte_and_says_once_what_is_broken(
    kind: str, broken: Path, tmp_path: Path
) -> None:
    code, watch = WATCHES[kind]
    paths = [f"/{i}" for i in range(30)]
    answers: dict[str, list[bytes]] = {}
    older_file(tmp_path / "apm.db")
    for how in ("", watch):
        port = free_port()
        (tmp_path / "site.py").write_text(code.replace("WATCH", how))
        variables = environment(PYTHONPATH=f"{broken}:{ROOT}", APM_AGENT_STORE=f"sqlite:///{tmp_path}/apm.db")
        command = [sys.executable, str(tmp_path / "site.py"), str(port)]
        with running(command, port=port, env=variables, cwd=tmp_path) as program:
            answers[how] = [ask(port, path) for path in paths]
            if not how:
                continue
            program.wait_for_output("Cure: pip install")
            answers[how] += [ask(port, path) for path in paths]  # once it is known, as before
            pages = [ask(port, "/apm/") for _ in range(3)]
            said = program.wait_for_output("while loading the dashboard")
    bare, watched = answers[""], answers[watch]
    assert bare[0].endswith(b"byte /0")
    assert watched == bare * 2
    for page in pages:
        assert page.split()[1] == b"503"
        assert page.endswith(b"the log of the application says which.\n")
    assert said.count("apm-agent failed while") == 2, said
    assert said.count("sqlite-utils, which makes the store's tables, cannot be imported") == 1


@pytest.mark.parametrize("options", [[], ["--no-dashboard", "--store", "here.db", "--slow=1"], ["--"]])
def test_r13_run_starts_its_command_where_the_command_line_is_broken(
    options: list[str], broken: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "apm_agent",
        "run",
        *options,
        "python",
        "-c",
        "print('--store'); exit(7)",
    ]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
        env=environment(PYTHONPATH=f"{broken}:{ROOT}"),
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (7, "--store\n"), run.stderr
    [said] = run.stderr.splitlines()
    assert said.startswith("apm-agent: python starts unwatched, for the command line cannot be loaded: ")
    assert said.endswith("Cure: pip install --upgrade click")


def test_r13_other_commands_say_what_is_broken(broken: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "apm_agent", "why", "run"], capture_output=True, text=True, timeout=60, check=False,
        cwd=tmp_path, env=environment(PYTHONPATH=f"{broken}:{ROOT}"),
    )  # fmt: skip
    assert run.returncode == 1
    assert "click" in run.stderr.splitlines()[-1]
