"""Writes a comparison for a terminal, or as Markdown for a ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from apm_agent.exporters.naming import visible
from apm_agent.queries.phrases import duration

_MOST_ROWS = 12
_LONGEST = 90


class _Section(NamedTuple):
    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    more: int = 0


def as_text(found: dict[str, Any]) -> str:
    """Tables whose columns stand below each other."""
    lines = [*_head(found)]
    for section in _sections(found):
        lines += ["", section.title]
        table = [section.heads, *section.rows]
        widths = [max(len(row[at]) for row in table) for at in range(len(section.heads))]
        for row in table:
            # The last column is the name, of any length.
            cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)]
            lines.append("  " + "  ".join([*cells, row[-1]]).rstrip())
        if section.more:
            lines.append(f"  … {section.more} more; --json has them")
    return "\n".join(lines) + "\n"


def as_markdown(found: dict[str, Any]) -> str:
    """The same as Markdown tables."""
    first, *rest = _head(found)
    lines = [f"# {_cell(first)}", "", *map(_cell, rest)]
    for section in _sections(found):
        lines += [
            "",
            f"## {section.title}",
            "",
            _row(section.heads),
            _row(["---:"] * (len(section.heads) - 1) + ["---"]),
        ]
        lines += [_row([_cell(cell) for cell in row]) for row in section.rows]
        if section.more:
            lines += ["", f"… {section.more} more"]
    return "\n".join(lines) + "\n"


def _head(found: dict[str, Any]) -> Iterator[str]:
    a, b = found["a"], found["b"]
    yield f"{visible(a['label'], _LONGEST)} → {visible(b['label'], _LONGEST)}"
    yield f"{a['count']:,} calls before, {b['count']:,} after; times are per call"
    if found["thin"]:
        yield f"Too few to rank: {found['why_thin']}."


def _sections(found: dict[str, Any]) -> Iterator[_Section]:
    yield _Section("Figures", ("before", "after", "change", ""), list(_figures(found["kpi"])))
    made = (
        _section("Endpoints", ("calls", "mean", "p95", "change", "endpoint"), found["endpoints"], _endpoint),
        _section("Queries", ("a call", "time a call", "", "query"), _told(found["statements"]), _statement),
        _section(
            "Functions",
            ("own", "total", "own change", "samples", "function"),
            _moved(found["functions"]),
            _function,
        ),
    )
    yield from (section for section in made if section.rows)


def _section(
    title: str,
    heads: tuple[str, ...],
    rows: Sequence[dict[str, Any]],
    write: Callable[[Any], tuple[str, ...]],
) -> _Section:
    return _Section(title, heads, [write(row) for row in rows[:_MOST_ROWS]], max(0, len(rows) - _MOST_ROWS))


def _figures(kpi: dict[str, dict[str, float | None]]) -> Iterator[tuple[str, ...]]:
    for name, (title, write) in _FIGURES.items():
        pair = kpi[name]
        before, after = (
            write(value) if value is not None else "–" for value in (pair["before"], pair["after"])
        )
        yield before, after, _percent(pair["change"]) + (" *" if pair["significant"] else ""), title


def _endpoint(row: dict[str, Any]) -> tuple[str, ...]:
    a, b = row["before"], row["after"]
    note = row["status"] if row["status"] in ("appeared", "vanished") else "too few" if row["thin"] else ""
    return (
        f"{a['count']:,} → {b['count']:,}", _arrow(a["mean_ms"], b["mean_ms"]), _arrow(a["p95_ms"], b["p95_ms"]),
        note or _signed(row["change_ms"]), visible(row["name"], _LONGEST),
    )  # fmt: skip


def _statement(row: dict[str, Any]) -> tuple[str, ...]:
    a, b = row["before"], row["after"]
    where = row["where"]
    place = f"  ({visible(where['file'], _LONGEST)}:{where['line']})" if where else ""
    return (
        f"{a['runs_per_call']:.2f} → {b['runs_per_call']:.2f}", _arrow(a["ms_per_call"], b["ms_per_call"]),
        row["status"], visible(row["text"], _LONGEST) + place,
    )  # fmt: skip


def _function(row: dict[str, Any]) -> tuple[str, ...]:
    a, b = row["before"], row["after"]
    return (
        _arrow(a["own_ms"], b["own_ms"]), _arrow(a["total_ms"], b["total_ms"]),
        _signed(row["own_change_ms"]) + (" *" if row["significant"] else ""),
        f"{a['total_samples']} / {b['total_samples']}",
        f"{visible(row['function'], _LONGEST)} ({visible(row['file'], _LONGEST)}:{row['line']})",
    )  # fmt: skip


def _told(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in statements if row["status"] != "same"]


def _moved(functions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in functions if row["own_change_ms"] or row["total_change_ms"]]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """One cell that cannot break out of its table or of the page."""
    for letter in "\\`|<>[]*_#":
        text = text.replace(letter, f"\\{letter}")
    return text


def _arrow(before: float | None, after: float | None) -> str:
    return f"{_ms(before)} → {_ms(after)}"


def _ms(value: float | None) -> str:
    return "–" if value is None else duration(value * 1e6)


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{'-' if value < 0 else '+'}{duration(abs(value) * 1e6)}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1%}"


#: Figures: what they are called, and how a value is written.
_FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "count": ("calls", lambda value: f"{value:,.0f}"),
    "mean_ms": ("mean", _ms),
    "p50_ms": ("p50", _ms),
    "p95_ms": ("p95", _ms),
    "p99_ms": ("p99", _ms),
    "error_rate": ("failed", lambda value: f"{value:.1%}"),
    "queries_per_call": ("queries a call", lambda value: f"{value:.2f}"),
    "cpu_ms": ("CPU", _ms),
    "rss_kb": ("memory kept", lambda value: f"{value:.1f} KiB"),
}
