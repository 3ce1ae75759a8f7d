"""The command line: one file a command, imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from apm_agent import __version__
from apm_agent.errors import ApmError

#: Every command and the module whose `command` it is, in the order people meet them.
COMMANDS = {
    "run": "apm_agent.cli.run",
    "dashboard": "apm_agent.cli.dashboard",
    "demo": "apm_agent.cli.demo",
    "why": "apm_agent.cli.why",
    "dump": "apm_agent.cli.dump",
    "top": "apm_agent.cli.top",
    "record": "apm_agent.cli.record",
    "compare": "apm_agent.cli.compare",
    "check": "apm_agent.cli.check",
    "arm": "apm_agent.cli.arm",
    "export": "apm_agent.cli.export",
    "ship": "apm_agent.cli.ship",
    "push": "apm_agent.cli.push",
    "dis": "apm_agent.cli.dis",
    "mcp": "apm_agent.cli.mcp",
    "doctor": "apm_agent.cli.doctor",
}


class Commands(click.Group):
    """Finds commands in the table, so that `run` starts without loading the dashboard."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(module).command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="apm-agent")
def cli() -> None:
    """The performance monitor that lives inside your Python web app."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit; an error is one line that names the value and the cure, and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe that knows no "▸" gets a "?" instead of a traceback.
        getattr(stream, "reconfigure", dict)(errors="replace")
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        code = cli.main(given or ["--help"], prog_name="apm-agent", standalone_mode=False)
    except click.ClickException as error:
        _complain(_one_line(error))
        code = 2
    except click.Abort:
        code = 130
    except ApmError as error:
        _complain(str(error))
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def _complain(text: str) -> None:
    click.echo(f"apm-agent: {text}", err=True)


def _one_line(error: click.ClickException) -> str:
    text = " ".join(error.format_message().split())
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "apm-agent"
    return f"{text} See `{where} --help`." if isinstance(error, click.UsageError) else text
