"""The dashboard beside a command: a process of its own that ends when the command has ended.

The command is not our child (`run` becomes it), so nobody is left to stop the dashboard. A pipe tells it the
end: the command and all it forks hold the writing side without knowing, and when the last of them is gone the
reading side ends.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import NoReturn

import click

from apm_agent.errors import ConfigError

USUAL_PORT = 8787
_START = "import sys; sys.path[:] = [p for p in sys.path if p]; from apm_agent.cli import main; main()"


def command(*arguments: str) -> list[str]:
    """How to start one of our own commands; the working folder's modules cannot stand in front of ours."""
    return [sys.executable, "-c", _START, *arguments]


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A listening socket on `port`; 0 means the usual port, or any free one when that is taken."""
    try:
        return _bind(host, port or USUAL_PORT)
    except OSError as error:
        if port == 0 and error.errno == errno.EADDRINUSE:
            return _bind(host, 0)
        shown = f"cannot listen on {host} port {port or USUAL_PORT}: {error.strerror or error}"
        raise ConfigError(f"{shown}. Choose another with --port, or leave it out.") from None


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with _bind("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def start(store: str, port: int) -> str:
    """Start the dashboard of `store` beside this process and whatever it becomes; its URL."""
    listener = listen(port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    child = os.fork()
    if child == 0:
        os.close(writing)
        _become_dashboard(store, listener, reading)
    # The child has left its own child behind, so the command gets no child that it did not start.
    os.waitpid(child, 0)
    os.close(reading)
    listener.close()
    return url


def _become_dashboard(store: str, listener: socket.socket, reading: int) -> NoReturn:
    try:
        os.setsid()  # the terminal's Ctrl-C is for the command
        if os.fork():
            os._exit(0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):
            os.dup2(nothing, stream)
        for kept in (listener.fileno(), reading):
            os.set_inheritable(kept, True)
        arguments = command(
            "dashboard", "--store", store, "--no-browser",
            "--listening", str(listener.fileno()), "--until-closed", str(reading),
        )  # fmt: skip
        os.execv(arguments[0], arguments)
    except OSError as error:
        click.echo(f"apm-agent: the dashboard did not start: {error}", err=True)
    os._exit(1)
