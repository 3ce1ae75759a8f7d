"""The tables of docs/overhead.md: ratios first, then microseconds, then what came with which version."""

from __future__ import annotations

import datetime
import platform

from apps import FRAMEWORKS, VIEWS
from pairs import Cost, Found

_HEAD = """# What it costs, beside the others

Measured by `make bench-peers`, last on {day}: CPython {python}, Linux {kernel}, {rounds} rounds, medians. Each peer
has an environment of its own and takes turns there with the bare application; *all CPU* includes what its threads do
afterwards, and *of it flushing* is what waited until it was asked to write or send all it had: by the batch of 20
requests here, by the second where it runs. Each was checked to be collecting: at the end its collector, its tables or
its own count had the requests.
Wall times move with the machine, by half within minutes where its processors are shared: each figure is brought to the
speed at which the bare process beside it takes as long as the one beside ours. What holds are the ratios of the rows.
Scout hands what it saw to a daemon of its own, which takes processor time and memory that are not counted here.
"""


def tables(found: dict[tuple[str, str], Found | str], versions: dict[str, str], rounds: int) -> str:
    """All of it as Markdown."""
    parts = [
        _HEAD.format(
            day=datetime.date.today(), python=platform.python_version(), kernel=platform.release().split("-")[0],
            rounds=rounds,
        )
    ]  # fmt: skip
    frameworks = [each for each in FRAMEWORKS if any(framework == each for _, framework in found)]
    for framework in frameworks:
        rows = {title: each for (title, its), each in found.items() if its == framework}
        parts.append(_framework(framework, rows))
    parts.append(
        "## Versions\n\n" + ", ".join(f"{title} {version}" for title, version in versions.items()) + "\n"
    )
    return "\n".join(parts)


def _framework(framework: str, rows: dict[str, Found | str]) -> str:
    ours = next((each for each in rows.values() if isinstance(each, Found)), None)
    lines = [f"## {framework.capitalize()}\n"]
    if ours is not None:
        bare = ", ".join(f"{view} {ours.views[view].bare_us:,.0f} µs" for view in VIEWS)
        lines.append(f"Bare: {bare}, ready after {ours.bare_start_ms:,.0f} ms.\n")
    lines += [
        "| | trivial: added µs | × ours | all CPU µs | × ours | 5 ms of CPU: added µs | all CPU µs | of it flushing |"
        " ten queries: added µs | all CPU µs | start + ms | RSS + MiB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for title, each in rows.items():
        if isinstance(each, str):
            lines.append(f"| {title} | not measured: {each.splitlines()[-1][:150]} |")
            continue
        found, first = ours or each, (ours or each).views
        start_ms = each.start_ms * found.bare_start_ms / each.bare_start_ms
        trivial, cpu, queries = (_at_the_speed_of(first[view], each.views[view]) for view in VIEWS)
        lines.append(
            f"| {title} | {trivial.added_us:,.0f} | {trivial.added_us / first['trivial'].added_us:.1f}"
            f" | {trivial.added_cpu_us:,.0f} | {trivial.added_cpu_us / first['trivial'].added_cpu_us:.1f}"
            f" | {cpu.added_us:,.0f} | {cpu.added_cpu_us:,.0f}"
            f" | {cpu.flushed_us:,.0f} | {queries.added_us:,.0f} | {queries.added_cpu_us:,.0f}"
            f" | {start_ms:,.0f} | {each.rss_mib:,.1f} |"
        )
    return "\n".join(lines) + "\n"


def _at_the_speed_of(first: Cost, cost: Cost) -> Cost:
    """The same cost where the machine was as fast as when `first` was measured."""
    return Cost(*(each * first.bare_us / cost.bare_us for each in cost))
