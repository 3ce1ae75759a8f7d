"""`apm-agent check`: whether a store keeps within limits of a baseline; with an exit status, for CI."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from apm_agent.cli import checked, place
from apm_agent.errors import StoreError
from apm_agent.queries import limits
from apm_agent.queries.compare import compare
from apm_agent.queries.connection import Connection, connect
from apm_agent.queries.limits import BROKEN, TOO_FEW, Judged, Limit
from apm_agent.queries.sides import Wanted, whole

OK, WORSE, UNJUDGED = 0, 1, 2

#: Units of each limit, their factors, and how it may be written.
_UNITS: dict[str, tuple[dict[str, float], str]] = {
    limits.P95: ({"ms": 1e6, "s": 1e9, "us": 1e3}, "+10%, +20ms or +0"),
    limits.QUERIES: ({"": 1.0}, "+0, +2 (a call) or +10%"),
    limits.ERRORS: ({"%": 0.01}, "+0, or +1% of all calls"),
    limits.RSS: ({"b": 1.0, "kb": 2.0**10, "mb": 2.0**20, "gb": 2.0**30}, "+5MB, +10% or +0"),
}
_NUMBER = re.compile(r"\+?(\d+(?:\.\d+)?|\.\d+)\s*([a-z%]*)", re.IGNORECASE | re.ASCII)


class LimitType(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic since click 8.3
    """Reads how much more is allowed."""

    name = "limit"

    def __init__(self, limit: str) -> None:
        self.limit = limit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Limit:
        if isinstance(value, Limit):
            return value
        units, words = _UNITS[self.limit]
        text = str(value).strip()
        match = _NUMBER.fullmatch(text)
        unit = match[2].lower() if match else ""
        amount = float(match[1]) if match else 0.0
        if match and unit in units:
            return Limit(self.limit, amount * units[unit], False, text)
        if match and unit == "%":
            return Limit(self.limit, amount / 100, True, text)
        if match and not unit and not amount:
            return Limit(self.limit, 0.0, False, text)
        self.fail(f"{text[:40]!r} does not say how much more is allowed: write {words}.", param, ctx)


@click.command("check")
@click.option("--baseline", required=True, metavar="STORE", help="What was before: a store's file, or a URL.")
@click.option("--current", metavar="STORE", help="What is judged; the store of the settings.")
@click.option("--p95", type=LimitType(limits.P95), metavar="+10%", help="How much slower, of each endpoint.")
@click.option(
    "--queries", type=LimitType(limits.QUERIES), metavar="+0", help="How many more statements a call."
)
@click.option("--rss", type=LimitType(limits.RSS), metavar="+5MB", help="How much more resident memory.")
@click.option("--errors", type=LimitType(limits.ERRORS), metavar="+0", help="How many more calls may fail.")
@click.option(
    "--endpoint", "endpoints", multiple=True, help='Only this one, like "GET /orders"; may be repeated.'
)
@click.option("--service", default="", help="Only this service.")
@click.option("--markdown", metavar="FILE", help="Write a report for a pull request there.")
def command(  # noqa: PLR0917  (click gives them by name)
    baseline: str, current: str | None, p95: Limit | None, queries: Limit | None, rss: Limit | None,
    errors: Limit | None, endpoints: tuple[str, ...], service: str, markdown: str | None,
) -> None:  # fmt: skip
    """Judge whether a store keeps within limits of a baseline; for CI.

    Ends with 0 where all that could be judged holds, with 1 where a limit is broken beyond chance (under 1 %), with 2
    where nothing could be judged of a limit, or of an endpoint named with --endpoint, and for what makes no sense.
    """
    asked = [limit for limit in (p95, queries, errors, rss) if limit is not None]
    if not asked:
        raise click.UsageError("No limit is given: add --p95 +10%, --queries +0, --rss +5MB or --errors +0.")
    stores = _store("--baseline", baseline), _store("--current", current)
    with ExitStack() as opened:
        before, after = (opened.enter_context(connect(store)) for store in stores)
        found = limits.judge(before, after, asked, list(dict.fromkeys(endpoints)), service)
        causes = _causes(before, after, found, service)
    names = [place.shown(store) for store in stores]
    code = status(found, asked, endpoints)
    if markdown is not None:
        try:
            Path(markdown).write_text(checked.as_markdown(names, found, causes, code), encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"--markdown {markdown!r} cannot be written: {error.strerror}. Name another file."
            ) from None
    click.echo(checked.as_text(names, found, causes, code), nl=False)
    sys.exit(code)


def status(found: Sequence[Judged], asked: Sequence[Limit], endpoints: Sequence[str]) -> int:
    """0, 1 or 2, as the command says of them."""
    if any(each.verdict == BROKEN for each in found):
        return WORSE
    told = {each.limit.name for each in found if each.verdict != TOO_FEW}
    unclear = any(each.verdict == TOO_FEW and each.endpoint in endpoints for each in found)
    return UNJUDGED if unclear or any(limit.name not in told for limit in asked) else OK


def _store(option: str, text: str | None) -> str:
    if text is not None and "://" not in text and not os.path.isfile(text):
        raise click.UsageError(f"{option} {text[:200]!r} is no file; name the store that a run has written.")
    return place.readable(text)


def _causes(
    before: Connection, after: Connection, found: Sequence[Judged], service: str
) -> dict[str, dict[str, Any]]:
    """What changed in the endpoints of which a limit is broken."""
    causes = {}
    for name in sorted({each.endpoint for each in found if each.verdict == BROKEN and each.endpoint}):
        prefix, colon, plain = name.partition(": ")
        wanted = Wanted(plain if colon and not service else name, "", service or (prefix if colon else ""))
        causes[name] = compare(whole(before, name, wanted), whole(after, name, wanted))
    return causes
