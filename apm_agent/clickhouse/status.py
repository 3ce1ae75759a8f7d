"""What a shipper tells of itself in a file beside the local store, for `health` and `doctor`.

In the folder `ship` beside the store, one `<target>.json` a target: {"to", "at", "shipped", "dropped", "behind_s",
"waiting"}: when it last got through (Unix seconds), how many transactions it has shipped and how many were deleted
before it could, how old the oldest unshipped one is, and why it waits (null while it does not).
"""

from __future__ import annotations

import json
import os
from typing import Any

FOLDER = "ship"
_MOST = 16


def tell(store: str, fingerprint: str, told: dict[str, Any]) -> None:
    """Write it for others to read, whole or not at all."""
    path = os.path.join(os.path.dirname(store), FOLDER, f"{fingerprint}.json")
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(told, file)
    os.replace(f"{path}.new", path)


def told(store: str) -> list[dict[str, Any]]:
    """What each shipper of a store told last."""
    folder = os.path.join(os.path.dirname(store), FOLDER)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))[:_MOST]
    except OSError:
        return []
    found = []
    for name in names:
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                said = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(said, dict):
            found.append(said)
    return found
