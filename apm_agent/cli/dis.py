"""`apm-agent dis module:function`: its bytecode beside the sampled time of its lines."""

from __future__ import annotations

import dis
import linecache
import os
import platform
from collections.abc import Iterator
from itertools import groupby
from types import CodeType

import click

from apm_agent.cli import place
from apm_agent.cli.code import find
from apm_agent.exporters.naming import visible
from apm_agent.queries import heat, window
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.scope import Scope, one_endpoint, scope_of

_LONGEST = 100
_BY_LINE = "Times are by line: the store keeps the line of a sample, not its instruction."


@click.command("dis")
@click.argument("target", metavar="MODULE:FUNCTION")
@click.option("--endpoint", default="", help='Only samples of this endpoint, like "GET /orders".')
@click.option(
    "--range", "span", default="24h", show_default=True, help="How far back: 15m, 1h, 6h, 24h or 7d."
)
@click.option("--service", default="", help="Only this service.")
@click.option("--release", default="", help="Only this release.")
@click.option("--store", help="The store: a URL, or the path of a file.")
def command(  # noqa: PLR0917  (click gives them by name)
    target: str, endpoint: str, span: str, service: str, release: str, store: str | None
) -> None:
    """Show the bytecode of MODULE:FUNCTION beside the sampled time of each of its lines.

    The source is compiled, never run. Own time is with the line innermost, total time with what it calls.
    """
    code, path = find(target)
    with connect(place.readable(store)) as connection:
        over = window.of_range(span)
        scope = _scope(connection, endpoint, service, release)
        found = heat.of_file(connection, over, scope, path)
        if not found.total:
            found = heat.of_file(connection, over, scope, os.path.realpath(path))
        notes = list(_notes(connection, path, over, found))
    lines = set(_lines(code))
    own = sum(ns for line, ns in found.own.items() if line in lines)
    click.echo(f"{target} in {path}, last {span}: own {_ms(own)} ms. {_BY_LINE}")
    for note in notes:
        click.echo(note)
    click.echo(f"\n{'own ms':>12} {'total ms':>12} {'line':>6}")
    for each in [code, *_nested(code)]:
        if each is not code:
            click.echo(f"\n{'':32} {each.co_name}, inside:")
        _show(each, found, path)


def _scope(connection: Connection, endpoint: str, service: str, release: str) -> Scope:
    scope = scope_of(connection, service, release)
    if not endpoint:
        return scope
    one = one_endpoint(connection, endpoint, "", service)
    if one is None:
        raise click.UsageError(f"there is no endpoint {endpoint[:100]!r} in the store.")
    return Scope({one.id: one}, scope.releases)


def _notes(connection: Connection, path: str, over: window.Window, found: heat.Heat) -> Iterator[str]:
    here = platform.python_version()
    ran = heat.pythons(connection)
    others = sorted(version for version in ran if version.split(".")[:2] != here.split(".")[:2])
    if others:
        yield f"The bytecode is of Python {here}; the application ran on {', '.join(others)}, whose differs."
    if os.path.getmtime(path) > over.start:
        yield "The file changed since the first of these samples: older ones may mean other lines."
    if not found.total:
        yield f"No samples of this file are in the store. They count by the path it ran under, which must be {path}."


def _show(code: CodeType, found: heat.Heat, path: str) -> None:
    """The lines of a function in the order of its bytecode, each with its text above its instructions."""
    shown: set[int] = set()
    for line, instructions in groupby(_placed(code), key=lambda pair: pair[0]):
        if line:
            # A line that comes again, as that of a loop, has its time only once.
            own, total = ("", "") if line in shown else (_heat(found.own, line), _heat(found.total, line))
            text = visible(linecache.getline(path, line).rstrip(), _LONGEST)
            click.echo(f"{own:>12} {total:>12} {line:>6}  {text}")
            shown.add(line)
        for _, instruction in instructions:
            argument = visible(instruction.argrepr, _LONGEST)
            mark = ">>" if instruction.is_jump_target else "  "
            click.echo(f"{'':34} {mark} {instruction.offset:>5} {instruction.opname:<28} {argument}".rstrip())


def _placed(code: CodeType) -> Iterator[tuple[int, dis.Instruction]]:
    """Each instruction with its line; one without a line belongs to the line before it."""
    starts = dict(dis.findlinestarts(code))
    line = 0
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset) or line
        yield line, instruction


def _nested(code: CodeType) -> Iterator[CodeType]:
    """Comprehensions, lambdas and functions inside: their samples are their own lines'."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _nested(inner)


def _lines(code: CodeType) -> Iterator[int]:
    for each in (code, *_nested(code)):
        yield from (line for _, line in dis.findlinestarts(each) if line)


def _heat(times: dict[int, int], line: int) -> str:
    return _ms(times[line]) if line in times else ""


def _ms(ns: int) -> str:
    return f"{ns / 1e6:,.3f}"
