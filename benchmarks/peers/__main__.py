"""What each performance monitor adds to a request, side by side: `python benchmarks/peers`.

Each peer runs in an environment of its own, beside a bare process of the same environment; the two take turns. Wall:
what a request takes longer. CPU: all processor time it costs, sending and writing included. A peer that does not
collect what it is measured with is not measured. `--write` puts the tables into docs/overhead.md; what is measured
again, as with `--peer ours`, takes the place of what was known of it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import kept
import rooms
import serving
from apps import FRAMEWORKS
from collector import Collector
from pairs import Found, measure, starts
from told import tables


def main() -> int:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peer", choices=rooms.PEERS, action="append")
    parser.add_argument("--framework", choices=FRAMEWORKS, action="append")
    parser.add_argument("--starts", action="store_true", help="only how long they take to start")
    parser.add_argument("--write", action="store_true", help="into docs/overhead.md")
    options = parser.parse_args()
    found, versions = kept.load() if options.write else ({}, {})
    for name in options.peer or rooms.PEERS:
        peer = importlib.import_module(f"watch.{name}")
        python = rooms.python(peer)
        versions[peer.TITLE] = rooms.version(peer)
        for framework in options.framework or FRAMEWORKS:
            if framework not in peer.FRAMEWORKS:
                continue
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                try:
                    known = found.get((peer.TITLE, framework))
                    if options.starts and isinstance(known, Found):
                        later, bare = starts(python, framework, peer, Path(folder), Collector())
                        known = known._replace(start_ms=later, bare_start_ms=bare)
                    else:
                        known = measure(python, framework, peer, options.rounds, Path(folder))
                    found[peer.TITLE, framework] = known
                except RuntimeError as error:
                    found[peer.TITLE, framework] = str(error)
                    print(error, file=sys.stderr)
            print(f"{peer.TITLE}, {framework}: {found[peer.TITLE, framework]}", file=sys.stderr, flush=True)
    text = tables(found, versions, options.rounds) + serving.section(serving.load())
    print(text)
    if options.write:
        kept.save(found, versions)
        (rooms.ROOT / "docs" / "overhead.md").write_text(text)
    return 1 if any(isinstance(each, str) for each in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
