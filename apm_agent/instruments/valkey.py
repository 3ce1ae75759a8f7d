"""valkey: as redis, from which it was copied."""

from __future__ import annotations

from apm_agent.instruments.redis import rows
from apm_agent.instruments.support import Support

PATCHES = rows("valkey", "Valkey")

#: For docs/supported.md.
SUPPORT = Support(
    "Caches and stores",
    "valkey (sync, async, cluster)",
    "as redis",
    "as redis",
    ("valkey",),
)
