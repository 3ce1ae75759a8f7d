"""What the sampling thread asks of the kernel is its alone, and changes nothing else of it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from apm_agent.profiling import prompt

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux alone")
Answer = TypeVar("Answer")
#: `sched_getattr` follows `sched_setattr` in every table.
_ATTRIBUTES = prompt._ATTRIBUTES


def in_thread(function: Callable[[], Answer]) -> Answer:
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    return answers[0]


def attributes() -> tuple[int, ...]:
    number = prompt._NUMBERS[os.uname().machine] + 1
    into = ctypes.create_string_buffer(_ATTRIBUTES.size)
    assert ctypes.CDLL(None).syscall(ctypes.c_long(number), 0, into, _ATTRIBUTES.size, 0) == 0
    return _ATTRIBUTES.unpack(into.raw)


def test_the_thread_gets_short_turns_and_nothing_else() -> None:
    def ask() -> tuple[bool, tuple[int, ...], tuple[int, ...]]:
        before = attributes()
        return prompt.be_prompt(), before, attributes()

    if os.uname().machine not in prompt._NUMBERS:
        pytest.skip("not known by number here")
    ours = attributes()
    agreed, before, after = in_thread(ask)
    if not agreed:
        pytest.skip("system calls are filtered here, or it is forbidden")
    assert before[1:5] == after[1:5], "policy, flags, nice value and priority"
    if before[5]:  # a kernel that knows of turns
        assert after[5] == prompt._TURN_NS
    assert attributes() == ours
    assert in_thread(attributes) == before, "threads started later are as they were"


#: Kills the process at the first `sched_setattr`, as systemd does for a service without `@resources`.
_FILTERED = """
import ctypes, os, struct, sys, threading
from apm_agent.profiling import prompt
libc = ctypes.CDLL(None)
number = prompt._NUMBERS[os.uname().machine]
rows = struct.pack("=HBBI", 0x20, 0, 0, 0) + struct.pack("=HBBI", 0x15, 0, 1, number)
rows += struct.pack("=HBBI", 6, 0, 0, 0x80000000) + struct.pack("=HBBI", 6, 0, 0, 0x7fff0000)
held = ctypes.create_string_buffer(rows)
program = struct.pack("@HP", 4, ctypes.addressof(held))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
    print("no filters")
else:
    print(prompt.be_prompt())
"""


def test_where_system_calls_are_filtered_nothing_is_asked() -> None:
    if os.uname().machine not in prompt._NUMBERS:
        pytest.skip("not known by number here")
    done = subprocess.run([sys.executable, "-c", _FILTERED], capture_output=True, text=True, check=False)
    if done.stdout == "no filters\n":
        pytest.skip("no filters here")
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
