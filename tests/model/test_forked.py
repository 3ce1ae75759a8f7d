"""A claim holds in the process that made it, whatever way its children were forked."""

from __future__ import annotations

import subprocess
import sys

import pytest

from apm_agent.model.forked import _ByNumber, claim

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

CHAIN = """
import ctypes, os, sys
sys.path[:0] = {path!r}
from apm_agent.model import forked
ours = forked.{make}()
before = ours[0]
ours[0] = 1
pid = ctypes.PyDLL(None).fork()  # in C: no hooks of Python run
if pid == 0:
    found = [ours[0]]
    ours[0] = 1
    found.append(ours[0])
    pid = os.fork()
    if pid == 0:
        os._exit(10 * (found == [0, 1]) + ours[0])
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) + 5 * ours[0])
child = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(before, ours[0], child)
ours[0] = 0
print(ours[0])
"""


@pytest.mark.parametrize("make", ["claim", "_ByNumber"])
def test_r05_children_and_grandchildren_have_claimed_nothing(make: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", CHAIN.format(path=sys.path, make=make)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["0", "1", "15", "0"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the page is Linux's")
def test_on_linux_nobody_is_asked() -> None:
    assert not isinstance(claim(), _ByNumber)
