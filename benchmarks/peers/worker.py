"""One process with one framework, watched by one peer or by nobody; does what lines of JSON on its input say."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(framework: str, peer_name: str) -> None:
    """Build the application, answer each view once, say so, and obey."""
    peer: ModuleType | None = None
    if peer_name != "bare":
        peer = importlib.import_module(f"watch.{peer_name}")
        peer.begin()
    import apps

    views = apps.views(framework, peer)
    for run in views.values():
        run(1)
    _say(ready=True)
    for run in views.values():
        run(30)
    _flush(peer)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        if asked["do"] == "run":
            views[asked["view"]](asked["count"])
        elif asked["do"] == "flush":
            _flush(peer)
        elif asked["do"] == "quit":
            break
        took = {"wall": time.perf_counter_ns() - wall, "cpu": time.process_time_ns() - cpu}
        kept = getattr(peer, "kept", None)
        _say(**took, rss=_rss(), kept=kept() if kept and asked["do"] == "kept" else None)
    os._exit(0)  # what a peer does at exit is not measured, and may wait for long


def _flush(peer: ModuleType | None) -> None:
    if peer is not None:
        peer.flush()


def _say(**words: object) -> None:
    print(json.dumps(words), flush=True)


def _rss() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(*sys.argv[1:])
