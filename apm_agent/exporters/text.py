"""A tree to read in a terminal: your own code in full, frames of libraries folded into how many are hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from apm_agent.exporters.naming import label, visible
from apm_agent.exporters.tree import Tree
from apm_agent.model.profile import Profile

_LONGEST = 100
_DEEPEST = 60
#: Branches under this share of all time are summed in one line.
_LEAST = 0.002
_US = 1000


class _Row(NamedTuple):
    """A line: how deep, what, own nanoseconds; its total is what stands below it."""

    depth: int
    text: str
    own: int


def export(profile: Profile) -> bytes:
    """Own and total time in ms; own times are rounded so that they add up to the total of the first line."""
    tree = Tree(profile)
    rows = list(_rows(tree))
    own = _rounded([row.own for row in rows])
    wide = max(12, len(_ms(sum(own))))
    lines = [
        f"{tree.total[0]:,} ns sampled, in ms; libraries are folded\n\n",
        f"{'total':>{wide}} {'own':>{wide}}  function\n",
    ]
    for row, total, us in zip(rows, _totals(rows, own), own, strict=True):
        self_time = _ms(us) if us else ""
        lines.append(f"{_ms(total):>{wide}} {self_time:>{wide}}  {'  ' * row.depth}{row.text}\n")
    return "".join(lines).encode()


def _rows(tree: Tree) -> Iterator[_Row]:
    """Parents before children; a run of library frames that does not fork is one line."""
    todo = _below(tree, 0, 0)
    while todo:
        depth, branch, small = todo.pop()
        if branch < 0:
            yield _Row(depth, "(smaller or deeper)", small)
            continue
        hidden, branch = _hidden(tree, branch)
        if hidden:
            yield _Row(depth, _folded(tree, hidden), tree.own[hidden[-1]])
            depth += 1
        if branch >= 0:
            yield _Row(depth, label(tree.frame[branch], _LONGEST), tree.own[branch])
            depth += 1
        todo += _below(tree, branch if branch >= 0 else hidden[-1], depth)


def _below(tree: Tree, branch: int, depth: int) -> list[tuple[int, int, int]]:
    """(depth, child, 0), the heaviest last; what is too small comes first as one without a child."""
    least = tree.total[0] * _LEAST if depth < _DEEPEST else tree.total[0] + 1
    children = tree.heaviest_first(branch)
    small = sum(tree.total[child] for child in children if tree.total[child] < least)
    large = [(depth, child, 0) for child in reversed(children) if tree.total[child] >= least]
    return [(depth, -1, small), *large] if small else large


def _hidden(tree: Tree, branch: int) -> tuple[list[int], int]:
    """The run of library frames from here down that does not fork, and the own frame it leads to, else -1."""
    hidden = []
    while tree.frame[branch].category != "app":
        hidden.append(branch)
        below = tree.children[branch]
        if len(below) != 1 or tree.own[branch]:
            return hidden, -1
        (branch,) = below.values()
    return hidden, branch


def _folded(tree: Tree, hidden: list[int]) -> str:
    if len(hidden) == 1:
        return f"[{label(tree.frame[hidden[0]], _LONGEST)}]"
    packages = dict.fromkeys(tree.frame[each].file.partition("/")[0] for each in hidden)
    named = ", ".join(visible(each, _LONGEST) for each in packages if each)[: 2 * _LONGEST]
    last = label(tree.frame[hidden[-1]], _LONGEST)
    return (
        f"[{len(hidden)} frames hidden: {named}] {last}" if named else f"[{len(hidden)} frames hidden] {last}"
    )


def _rounded(own: list[int]) -> list[int]:
    """Microseconds; what rounding leaves is carried on, so that their sum is the rounded sum."""
    made, exact, told = [], 0, 0
    for ns in own:
        exact += ns
        now = (exact + _US // 2) // _US
        made.append(now - told)
        told = now
    return made


def _totals(rows: list[_Row], own: list[int]) -> list[int]:
    """Own time and that of all deeper rows that follow."""
    totals = list(own)
    open_rows: list[int] = []
    for at in range(len(rows)):
        while open_rows and rows[open_rows[-1]].depth >= rows[at].depth:
            _close(open_rows, totals)
        open_rows.append(at)
    while open_rows:
        _close(open_rows, totals)
    return totals


def _close(open_rows: list[int], totals: list[int]) -> None:
    done = open_rows.pop()
    if open_rows:
        totals[open_rows[-1]] += totals[done]


def _ms(us: int) -> str:
    return f"{us // _US:,}.{us % _US:03d}"
