"""`apm-agent dump`: the stack of everything in flight now, in every process that writes to the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from apm_agent.cli import asking, place
from apm_agent.exporters.naming import visible
from apm_agent.queries.connection import connect
from apm_agent.queries.live import in_flight
from apm_agent.queries.phrases import duration

#: Longer, when nobody has answered: looks are late where all processors are taken.
_MORE = 1.0
_IDLE = "nothing of it is in flight, or something in it holds the GIL"


@click.command("dump")
@click.option("--store", help="The store: a URL, or the path of a file.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(store: str | None, as_json: bool) -> None:
    """Show the stack of everything in flight now: requests, jobs, tasks that await.

    Processes that write to the store are asked through a file beside it, and answer within two seconds. It takes
    no privileges and stops nobody.
    """
    with connect(place.chosen(store)) as connection:
        asked = asking.Asking(connection.path)
        asked.wait(asking.ANSWERED)
        connection.renew()
        found = in_flight(connection)
        if not found["in_flight"]:
            asked.wait(_MORE)
            connection.renew()
            found = in_flight(connection)
    click.echo(json.dumps(found) if as_json else "\n".join(_text(found)))


def _text(found: dict[str, Any]) -> Iterator[str]:
    rows = found["in_flight"]
    for process in found["processes"]:
        whose = f"Process {process['pid']}: {visible(process['service'])} on {visible(process['host'])}"
        mine = [row for row in rows if (row["host"], row["pid"]) == (process["host"], process["pid"])]
        if not process["answers"]:
            yield f"{whose} · no answer: {_IDLE}"
            continue
        yield f"{whose} · {process['in_flight']} in flight"
        for row in mine:
            yield ""
            yield from _transaction(row)
        if process["in_flight"] > len(mine):
            yield f"\n  … and {process['in_flight'] - len(mine)} younger ones"
        yield ""
    if not found["processes"]:
        yield "No process writes to this store, or none has anything in flight."


def _transaction(row: dict[str, Any]) -> Iterator[str]:
    usual = f", p95 {duration(row['p95_ms'] * 1e6)}" if row["p95_ms"] is not None else ""
    span = row["span"]
    doing = (
        f" · {visible(span['kind'])} {visible(span['name'])} {duration(span['age_ms'] * 1e6)}" if span else ""
    )
    yield f"  {visible(row['name']) or '(unnamed)'} · {duration(row['age_ms'] * 1e6)}{usual} · {row['state']}{doing}"
    if row["path"] and row["path"] not in row["name"]:
        yield f"  {visible(row['path'])}"
    for stack in (row, *row["also"]):
        yield from _stack(stack)


def _stack(at: dict[str, Any]) -> Iterator[str]:
    """As py-spy writes it: the innermost frame first."""
    task = f", task {visible(at['task'])}" if at["task"] else ""
    if at["thread"]:
        yield f'    Thread ({at["stack_state"]}): "{visible(at["thread"])}"{task}'
    for frame in reversed(at["stack"]):
        yield f"        {visible(frame['function'])} ({visible(frame['file'])}:{frame['line']})"
    if at["cut"]:
        yield f"        … {at['cut']} more"
