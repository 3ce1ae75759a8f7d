"""An application's own random numbers are what they are without the agent, and no two processes draw one id."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SITE = """
import random, sys, time
sys.path[:0] = {path!r}
import apm_agent as apm
from apm_agent.tracing.propagation import header_of

def site(environ, start_response):
    began = time.perf_counter()
    while time.perf_counter() < began + 0.02:  # looked at several times
        pass
    watched = apm.current_transaction()
    if watched is not None:
        headers.append(header_of(watched))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [random.randbytes(8).hex().encode()]

def serve(app):
    random.seed(7)
    for number in range(20):
        if number == 10:
            random.seed(7)  # as a request of an experiment does
        yield b"".join(app({{"REQUEST_METHOD": "GET", "PATH_INFO": "/"}}, lambda *told: None))

headers = []
bare = list(serve(site))
app = apm.wsgi(
    site, store="sqlite:///{store}", service="dice", flush_interval="20ms", sample_interval="1ms", cprofile_share=0.5
)
assert list(serve(app)) == bare
assert apm.flush(5)
assert bare[:10] == bare[10:]
assert len(set(headers)) == 20 == len(set(header.split("-")[1] for header in headers)), headers
"""

FORKED = """
import os, sys, ctypes
sys.path[:0] = {path!r}
from apm_agent.model.chance import unique
read, write = os.pipe()
for _ in range(3):
    pid = {fork}()
    if pid == 0:
        os.write(write, f"{{unique(128)}} {{unique(128)}} ".encode())
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
drawn = os.read(read, 10_000).split() + [b"%d" % unique(128)]
assert len(drawn) == 7 == len(set(drawn)), drawn
"""


def run(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_application_seeded_is_left_alone(tmp_path: Path) -> None:
    run(SITE.format(path=sys.path, store=tmp_path / "apm.db"))


@pytest.mark.parametrize("fork", ["os.fork", "ctypes.PyDLL(None).fork"])
def test_r05_children_draw_other_ids_than_one_another(fork: str) -> None:
    run(FORKED.format(path=sys.path, fork=fork))
