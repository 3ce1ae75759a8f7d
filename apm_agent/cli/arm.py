"""`apm-agent arm ENDPOINT`: measures the next transactions of an endpoint in every process that serves it."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from apm_agent.cli import place
from apm_agent.model.arm import CAPTURES, CPROFILE, LINES, MEMORY, USUAL_LIFE
from apm_agent.queries import arms
from apm_agent.queries.connection import connect


@click.command("arm")
@click.argument("endpoint", default="")
@click.option("--cprofile", "capture", flag_value=CPROFILE, help="Every call, counted and timed (the usual).")
@click.option(
    "--lines", "capture", flag_value=LINES, help="Hits and time of each line of its hottest functions."
)
@click.option(
    "--memory", "capture", flag_value=MEMORY, help="What it keeps: by line, by type, and who holds it."
)
@click.option("-n", "--count", type=int, default=1, show_default=True, help="How many transactions.")
@click.option("--seconds", type=float, default=USUAL_LIFE, show_default=True, help="Give up after so long.")
@click.option("--service", default="", help="Only this service, where several write to the store.")
@click.option("--list", "show", is_flag=True, help="What is armed, and how much of it has arrived.")
@click.option("--cancel", "cancelled", metavar="ID", help="Disarm one; `all` for every one.")
@click.option("--store", help="The store: a URL, or the path of a file.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(  # noqa: PLR0917  (click gives them by name)
    endpoint: str, capture: str | None, count: int, seconds: float, service: str, show: bool, cancelled: str | None,
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure the next transactions of ENDPOINT, like "GET /orders" or the name of a job, then disarm.

    Every process takes it up within two seconds of traffic. The results are on the Trace pages of those transactions,
    which are kept as "captured".
    """
    if sum((bool(endpoint), show, cancelled is not None)) != 1:
        raise click.UsageError("Give an endpoint, or --list, or --cancel ID.")
    with connect(place.readable(store)) as connection:
        if cancelled is not None:
            found = [each["id"] for each in arms.listed(connection)] if cancelled == "all" else [cancelled]
            gone = [each for each in found if not arms.cancel(connection, each)]
            if gone:
                raise click.UsageError(f"There is no arm {gone[0]!r}; --list shows them.")
        elif endpoint:
            made = arms.arm(connection, endpoint, capture or CPROFILE, count, seconds, service)
            click.echo(json.dumps(made) if as_json else _line(made))
            return
        else:
            arms.clear(connection)
        rows = arms.listed(connection)
    if as_json:
        click.echo(json.dumps({"arms": rows}))
    elif not rows:
        click.echo("nothing is armed")
    else:
        click.echo("\n".join(_line(row) for row in rows))


def _line(row: dict[str, Any]) -> str:
    left = max(0, round(row["until"] - time.time()))
    state = "done" if row["state"] == "done" else f"{left} s left"
    text = f"{row['id']}  {row['endpoint']}  {CAPTURES[row['capture']]}  {row['done']} of {row['count']} · {state}"
    for why, times in sorted(row["unmeasured"].items(), key=lambda item: -item[1]):
        text += f"\n{'':18}{times}× not measured: {why}"
    return text
