"""`apm-agent` and `python -m apm_agent` are the command line, without which `run` still starts its command."""

from __future__ import annotations

import os
import shutil
import signal
import sys

_OPTIONS = ("--port", "--store", "--service", "--slow")


def main() -> None:
    """Run a command and exit.

    Where the command line's own library is missing or raises as it is imported, `run COMMAND…` says so and becomes
    COMMAND, unwatched: a server must not fail to start for it.
    """
    try:
        from apm_agent.cli import main as command_line
    except Exception as error:
        words = _command(sys.argv[1:])
        if not words:
            raise
        sys.stderr.write(
            f"apm-agent: {words[0]} starts unwatched, for the command line cannot be loaded: "
            f"{type(error).__name__}: {error}. Cure: pip install --upgrade click\n"
        )
        _become(words)
    command_line()


def _command(arguments: list[str]) -> list[str]:
    """What follows the options of `run`; empty for any other command."""
    if arguments[:1] != ["run"]:
        return []
    rest = arguments[1:]
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if option in _OPTIONS:
            rest = rest[1:]
    return rest


def _become(words: list[str]) -> None:
    # As `run` does: commands of this environment too, and the signals Python ignores as they were.
    program = shutil.which(
        words[0], path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{os.path.dirname(sys.executable)}"
    )
    if program is None:
        sys.exit(f"apm-agent: there is no command {words[0]!r}")
    sys.stderr.flush()
    if os.name == "nt":
        import subprocess

        sys.exit(subprocess.call([program, *words[1:]]))
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execv(program, [program, *words[1:]])


if __name__ == "__main__":
    main()
