"""Writes what `apm-agent check` found: a table for a terminal, and Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apm_agent.exporters.naming import visible
from apm_agent.queries.limits import BROKEN, ERRORS, HOLDS, METHODS, P95, QUERIES, SURE, TOO_FEW, Judged
from apm_agent.queries.phrases import duration

_LONGEST, _MOST_CAUSES = 90, 3
_HEADS = ("verdict", "limit", "before", "after", "change", "calls", "chance", "endpoint")
_ORDER = (BROKEN, TOO_FEW, HOLDS)
_SAYS = ("Within the limits.", "A limit is broken.", "Not judged: too few calls.")

Causes = Mapping[str, dict[str, Any]]


def as_text(names: Sequence[str], found: Sequence[Judged], causes: Causes, code: int) -> str:
    """Columns that stand below each other; the verdict last, where it is seen."""
    rows = [_HEADS, *map(_row, _sorted(found))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADS))]
    lines = [f"{visible(names[0], _LONGEST)} → {visible(names[1], _LONGEST)}", ""]
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)),
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    for name, changed in causes.items():
        lines += ["", f"{visible(name, _LONGEST)}:", *(f"  {line}" for line in _changes(changed))]
    return "\n".join([*lines, "", _verdict(found, code)]) + "\n"


def as_markdown(names: Sequence[str], found: Sequence[Judged], causes: Causes, code: int) -> str:
    """The verdict first, then the same table, what changed, and which tests were used."""
    lines = [
        f"## {('✅', '❌', '❔')[code]} apm-agent: {_verdict(found, code)}",
        "",
        f"{_cell(names[0])} → {_cell(names[1])}",
        "",
        _line(_HEADS),
        _line(["---"] + ["---:"] * (len(_HEADS) - 2) + ["---"]),
    ]
    lines += [_line([_cell(cell) for cell in _row(each)]) for each in _sorted(found)]
    for name, changed in causes.items():
        lines += ["", f"**{_cell(name)}**", "", *(f"- {_cell(line)}" for line in _changes(changed))]
    used = dict.fromkeys(each.limit.name for each in found)
    lines += ["", "<details><summary>How this was judged</summary>", ""]
    lines += [f"- {name}: {METHODS[name]}" for name in used]
    lines += [
        f"- A limit is broken where the chance is under {SURE:.0%}, corrected after Holm for the number of endpoints. "
        "Calls are taken to be independent of each other, and both stores to be of like machines.",
        "",
        "</details>",
    ]
    return "\n".join(lines) + "\n"


def _verdict(found: Sequence[Judged], code: int) -> str:
    counts = [f"{sum(each.verdict == verdict for each in found)} {words}" for verdict, words in
              ((BROKEN, "broken"), (TOO_FEW, "with too few calls"), (HOLDS, "hold"))]  # fmt: skip
    return f"{_SAYS[code]} {', '.join(counts)}."


def _sorted(found: Sequence[Judged]) -> list[Judged]:
    return sorted(found, key=lambda each: (_ORDER.index(each.verdict), each.limit.name, each.endpoint))


def _row(each: Judged) -> tuple[str, ...]:
    about = visible(each.endpoint, _LONGEST) or "(all processes)"
    note = f": {each.note}" if each.note else ""
    return (
        each.verdict, f"{each.limit.name} {each.limit.text}", _figure(each.limit.name, each.before),
        _figure(each.limit.name, each.after), _change(each), f"{each.calls[0]:,} / {each.calls[1]:,}",
        _chance(each.chance), about + note,
    )  # fmt: skip


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name == P95:
        return duration(value)
    if name == QUERIES:
        return f"{value:.2f}"
    return f"{value:.2%}" if name == ERRORS else f"{value / 2**20:.1f} MB"


def _change(each: Judged) -> str:
    if each.before is None or each.after is None:
        return "–"
    if each.limit.name in (P95, QUERIES) and each.before:
        return f"{each.after / each.before - 1:+.1%}"
    difference = each.after - each.before
    return f"{'-' if difference < 0 else '+'}{_figure(each.limit.name, abs(difference))}"


def _chance(chance: float | None) -> str:
    if chance is None:
        return "–"
    return "<0.0001" if chance < 0.0001 else f"{chance:.4f}" if chance < 0.1 else f"{chance:.2f}"


def _changes(changed: dict[str, Any]) -> list[str]:
    """Statements that run more, and functions that surely take longer."""
    return [*_statements(changed["statements"]), *_functions(changed["functions"])] or [
        "no statement and no function stands out; `apm-agent compare` shows all of them"
    ]


def _statements(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    more = [row for row in rows if row["status"] in ("appeared", "changed") and row["change_ms"] > 0]
    for row in sorted(more, key=lambda row: -row["change_ms"])[:_MOST_CAUSES]:
        where = (
            f" at {visible(row['where']['file'], _LONGEST)}:{row['where']['line']}" if row["where"] else ""
        )
        yield (
            f"{visible(row['text'], _LONGEST)}{where}: {row['before']['runs_per_call']:.2f} → "
            f"{row['after']['runs_per_call']:.2f} a call, +{duration(row['change_ms'] * 1e6)}"
        )


def _functions(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in [row for row in rows if row["significant"] and row["own_change_ms"] > 0][:_MOST_CAUSES]:
        place = f"{visible(row['file'], _LONGEST)}:{row['line']}"
        yield f"{visible(row['function'], _LONGEST)} at {place}: +{duration(row['own_change_ms'] * 1e6)} of its own"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """One cell that cannot break out of its table or of the page."""
    text = visible(text)
    for letter in "\\`|<>[]*_#":
        text = text.replace(letter, f"\\{letter}")
    return text
