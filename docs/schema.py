"""Writes the tables of schema.md from the views and tables themselves.

python docs/schema.py            write them; `make docs` does
python docs/schema.py --check    end with 1 and say so when they differ from the code
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from apm_agent.store import schema, views  # noqa: E402  (of this checkout, not of an installed package)

PAGE = ROOT / "docs" / "schema.md"
BEGIN = "<!-- written by `make docs` from here -->\n"
END = "<!-- to here -->\n"


def page(text: str) -> str:
    """The page with its tables as the code has them now."""
    first, second = text.split(BEGIN, maxsplit=1)[0], text.rsplit(END, maxsplit=1)[-1]
    return f"{first}{BEGIN}\n{''.join(map(_view, views.views()))}### Tables\n\n{_tables()}\n{END}{second}"


def _view(view: views.View) -> str:
    rows = "".join(f"| `{column.name}` | {column.about} |\n" for column in view.columns)
    twin = view.name.rpartition("_")
    # The three of a kind have the same columns; they are told once.
    if twin[2] in ("hour", "day"):
        return ""
    also = f", `{twin[0]}_hour`, `{twin[0]}_day`" if twin[2] == "minute" else ""
    return f"### `{view.name}`{also}\n\n{view.about}\n\n| column | |\n|---|---|\n{rows}\n"


def _tables() -> str:
    db = sqlite3.connect(":memory:")
    for script in (schema.FIRST, schema.CLOCKED, schema.PLANNED):
        db.executescript(script)
    names = [
        row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    ]
    lines = [
        f"| `{name}` | {', '.join(row[1] for row in db.execute(f'PRAGMA table_info({name})'))} |"
        for name in names
    ]
    db.close()
    return "\n".join(("| table | columns |", "|---|---|", *lines, ""))


def main() -> int:
    """Write the page, or say that it is not as the code has it."""
    text = PAGE.read_text()
    made = page(text)
    if "--check" in sys.argv[1:]:
        if made != text:
            print("docs/schema.md differs from the code; run: make docs", file=sys.stderr)
        return int(made != text)
    PAGE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
