"""Every page in every mount, both themes and three widths before axe: the whole of what tests/browser takes a part of.

python tests/soak/pages.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from addresses import addresses
from chromium import Window, chromium
from make_store import make
from mounts import MOUNTS, TOKEN, WITH_TOKEN

WIDTHS = (1440, 1024, 430)


def main() -> int:
    """Walk through them all; a line a mount and theme, and a line a fault."""
    argparse.ArgumentParser(
        description=__doc__
    ).parse_known_args()  # the options of other soaks are not for this one
    faults = 0
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        store = f"sqlite:///{folder}/day/apm.db"
        Path(folder, "day").mkdir()
        make(Path(folder, "day", "apm.db"), 3000)
        pages: dict[str, str] = {}
        for mount, start in MOUNTS.items():
            own = Path(folder, mount)
            own.mkdir()
            with start(store, own) as address:
                pages = pages or addresses(address)
                for theme in ("light", "dark"):
                    window = Window(browser, address, color_scheme=theme)
                    if mount in WITH_TOKEN:
                        window.open(f"?token={TOKEN}")
                    found = _faults(window, pages)
                    print(f"{mount}, {theme}: {len(pages)} pages, {len(found)} faults", flush=True)
                    for fault in found:
                        print(f"  {fault}", flush=True)
                    faults += len(found)
    print(f"{faults} faults")
    return 1 if faults else 0


def _faults(window: Window, pages: dict[str, str]) -> list[str]:
    found = []
    for page, address in pages.items():
        for width in WIDTHS:
            window.width(width)
            window.open(address)
            found += [f"{page} at {width} px: {fault}" for fault in window.faults()]
    found += window.complaints
    window.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
