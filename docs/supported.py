"""Writes the tables of supported.md from what the code says of itself and the versions the tests ran with.

    python docs/supported.py            write the tables; `make docs` does
    python docs/supported.py --check    end with 1 and say so when they differ from the code
    python docs/supported.py --tested   first note the versions installed here; for after the tests passed with them

Each file of instruments and integrations has a constant SUPPORT, read here without importing the file, for some need
their library set up. The versions lie in tested.json by file, as ``{"redis": ["4.5", "8.1"]}``, oldest first.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from apm_agent.instruments.support import GROUPS, Support  # noqa: E402  (of this checkout, not of an installed package)

PAGE = ROOT / "docs" / "supported.md"
TESTED = ROOT / "docs" / "tested.json"
BEGIN = "<!-- written by `make docs` from here -->\n"
END = "<!-- to here -->\n"


def supported() -> dict[str, Support]:
    """File, from the root, → what it says; `ValueError` names a file that says it in another form."""
    found: dict[str, Support] = {}
    for folder in ("instruments", "integrations"):
        for path in sorted((ROOT / "apm_agent" / folder).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SUPPORT":
                    found[path.relative_to(ROOT).as_posix()] = _read(path, node.value)
    return found


def _read(path: Path, node: ast.expr) -> Support:
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "Support":
        raise ValueError(f"{path}: SUPPORT must be written as Support(...), with nothing but text in it")
    words = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg}
    one = Support(*map(ast.literal_eval, node.args), **words)
    if one.group not in GROUPS:
        raise ValueError(f"{path}: SUPPORT is of the group {one.group!r}; groups are: {', '.join(GROUPS)}")
    return one


def tested() -> dict[str, dict[str, list[str]]]:
    """File → distribution → the versions its tests ran with, major and minor, oldest first."""
    found: dict[str, dict[str, list[str]]] = json.loads(TESTED.read_text())
    return found


def number(text: str) -> tuple[int, ...]:
    """``"4.10"`` as (4, 10), which sorts."""
    return tuple(int(part) for part in text.split("."))


def installed(distribution: str) -> str | None:
    """Major and minor of what is installed here, None when it is not."""
    try:
        return ".".join(version(distribution).split(".")[:2])
    except PackageNotFoundError:
        return None


def note_tested() -> None:
    """Add the versions installed here to those the tests ran with."""
    before, now = tested(), {}
    for file, one in supported().items():
        known = before.get(file, {})
        now[file] = {
            name: sorted({*known.get(name, ()), *filter(None, [installed(name)])}, key=number)
            for name in one.distributions
        }
    lines = (f"  {json.dumps(file)}: {json.dumps(versions)}" for file, versions in now.items() if versions)
    TESTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def versions_of(one: Support, known: dict[str, list[str]]) -> str:
    """Oldest and newest of each distribution, as one cell."""
    cells = []
    for name in one.distributions:
        ends = dict.fromkeys((known[name][0], known[name][-1]))
        cells.append(f"{name if len(one.distributions) > 1 else ''} {', '.join(ends)}".strip())
    return "; ".join(cells + ([one.note] if one.note else [])) or "Python's own"


def tables() -> str:
    """All tables, group after group, lines by library."""
    known = tested()
    lines = sorted(supported().items(), key=lambda item: item[1].library.lower())
    text = []
    for group in GROUPS:
        rows = [
            (one.library, versions_of(one, known.get(file, {})), one.how, one.recorded)
            for file, one in lines
            if one.group == group
        ]
        text.append(
            f"### {group}\n\n| Library | Versions tested | How | What is recorded |\n|---|---|---|---|\n"
            + "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)
        )
    return "\n".join(text)


def page() -> str:
    """The whole page as it should be: what is written by hand, with the tables between its marks."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{PAGE} has lost its marks; put back {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tested", action="store_true")
    options = parser.parse_args()
    if options.tested:
        note_tested()
    text = page()
    if options.check:
        same = text == PAGE.read_text()
        print("docs/supported.md is as the code" if same else "docs/supported.md differs; run: make docs")
        return 0 if same else 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
