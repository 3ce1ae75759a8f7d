"""Lets atheris look for what the tests of tests/fuzz cannot find by chance: it follows which lines of ours are reached.

python tests/fuzz [--seconds 60] [--only sql]        `make fuzz` has it in an environment of its own

Each test is a target: what atheris makes up is what Hypothesis would have drawn. atheris comes as a wheel for CPython
3.11 to 3.13 on Linux; elsewhere it is built with clang, and where that cannot be, this says so and ends with 2.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60, help="for each test")
    parser.add_argument("--only", default="", help="tests with this in their name")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(
            f"fuzz: no atheris for Python {sys.version.split()[0]} here; cure: a CPython from 3.11 to 3.13, or clang"
        )
        return 2
    if given.one:
        return _look(given.one, given.seconds)
    found = []
    # libFuzzer ends the process it runs in, so each test has its own.
    for name, _ in _tests():
        if given.only in name:
            print(f"fuzz: {name}", flush=True)
            command = [sys.executable, str(HERE), "--one", name, "--seconds", str(given.seconds)]
            if subprocess.run(command, check=False).returncode:
                found.append(name)
    print(f"fuzz: found something in {', '.join(found)}" if found else "fuzz: nothing found")
    return bool(found)


def _tests() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every property of this folder, as ``file:test``."""
    for path in sorted(HERE.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, value in vars(module).items():
            if name.startswith("test_") and hasattr(value, "hypothesis"):
                yield f"{path.stem}:{name}", value


def _look(name: str, seconds: int) -> int:
    import atheris

    logging.disable(logging.CRITICAL)  # what is contained is no finding
    # It names each of some three hundred modules.
    with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["apm_agent"]):
        target = dict(_tests())[name].hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-verbosity=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options], target)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
