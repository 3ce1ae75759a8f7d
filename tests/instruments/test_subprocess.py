"""Real programs, waited for in every way there is."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apm_agent.instruments import patching

PYTHON = Path(sys.executable).name
OK = [sys.executable, "-c", "print('hunter2')"]
SLOW = [sys.executable, "-c", "input()"]


def said(spans: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    assert {span.kind for span in spans} == {"wait"}
    assert "hunter2" not in repr([(span.name, span.tags) for span in spans])
    return [(span.name, span.tags) for span in spans]


def test_each_wait_is_one_span_with_the_program_only(instruments: None, traced: Any) -> None:
    with traced() as spans:
        assert subprocess.run(OK, capture_output=True, check=True).stdout == b"hunter2\n"
        assert subprocess.check_output(OK) == b"hunter2\n"
        assert subprocess.call([sys.executable, "-c", "raise SystemExit(3)"]) == 3
        with subprocess.Popen(OK, stdout=subprocess.PIPE) as process:
            assert process.communicate()[0] == b"hunter2\n"
            assert process.wait() == 0
        assert subprocess.run("true hunter2", shell=True, check=False).returncode == 0
        assert subprocess.run("TOKEN=hunter2 true", shell=True, check=False).returncode == 0
        assert subprocess.run(["/bin/true"], check=False).returncode == 0
        assert subprocess.run([Path("/bin/true")], check=False).returncode == 0
    assert said(spans) == [
        (f"subprocess {PYTHON}", {"returncode": 0}),
        (f"subprocess {PYTHON}", {"returncode": 0}),
        (f"subprocess {PYTHON}", {"returncode": 3}),
        (f"subprocess {PYTHON}", {"returncode": 0}),
        ("subprocess true", {"returncode": 0}),
        ("subprocess shell", {"returncode": 0}),
        ("subprocess true", {"returncode": 0}),
        ("subprocess true", {"returncode": 0}),
    ]
    assert spans[0].place[0].co_name == "test_each_wait_is_one_span_with_the_program_only"


async def test_async(instruments: None, traced: Any) -> None:
    with traced() as spans:
        process = await asyncio.create_subprocess_exec(*OK, stdout=asyncio.subprocess.PIPE)
        assert (await process.communicate())[0] == b"hunter2\n"
        assert await process.wait() == 0
        process = await asyncio.create_subprocess_shell("exit 4")
        assert await process.wait() == 4
    assert said(spans) == [
        (f"subprocess {PYTHON}", {"returncode": 0}),
        ("subprocess exit", {"returncode": 4}),
    ]


async def test_r18_errors_close_spans_and_pass_through(instruments: None, traced: Any) -> None:
    with traced() as spans:
        with pytest.raises(subprocess.CalledProcessError):
            subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True)
        with pytest.raises(FileNotFoundError):
            subprocess.run(["/nowhere/at-all", "hunter2"], check=False)
        with (
            subprocess.Popen(SLOW, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
            pytest.raises(subprocess.TimeoutExpired),
        ):
            process.wait(0.01)
        with pytest.raises(TypeError):
            subprocess.run()  # type: ignore[call-overload]  # noqa: PLW1510
        waited = await asyncio.create_subprocess_exec(*SLOW, stdin=asyncio.subprocess.PIPE, stderr=-3)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(waited.wait(), 0.01)
        await waited.communicate(b"\n")
    assert [(name, tags.get("error")) for name, tags in said(spans)] == [
        (f"subprocess {PYTHON}", "CalledProcessError"),
        ("subprocess at-all", "FileNotFoundError"),
        (f"subprocess {PYTHON}", "TimeoutExpired"),
        (f"subprocess {PYTHON}", None),
        ("subprocess None", "TypeError"),
        (f"subprocess {PYTHON}", "CancelledError"),
        (f"subprocess {PYTHON}", None),
    ]


def test_outside_a_transaction_nothing_is_kept(instruments: None, sink: list[Any]) -> None:
    assert subprocess.run(["true"], check=False).returncode == 0
    assert sink == []


def test_r12_r43_subprocess_is_what_it_was() -> None:
    owners = (
        (subprocess, "run"),
        (subprocess.Popen, "wait"),
        (subprocess.Popen, "communicate"),
        (asyncio.subprocess.Process, "wait"),
        (asyncio.subprocess.Process, "communicate"),
    )

    def facts() -> list[Any]:
        functions = [getattr(owner, name) for owner, name in owners]
        return [
            (
                str(inspect.signature(f)),
                f.__qualname__,
                inspect.iscoroutinefunction(f),
                pickle.loads(pickle.dumps(f)) is f,
            )
            for f in functions
        ]

    objects, before = [vars(owner)[name] for owner, name in owners], facts()
    patching.apply()
    try:
        assert all(
            vars(owner)[name] is not found for (owner, name), found in zip(owners, objects, strict=True)
        )
        assert facts() == before
    finally:
        patching.remove()
    assert all(vars(owner)[name] is found for (owner, name), found in zip(owners, objects, strict=True))
