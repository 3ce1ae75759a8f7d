"""valkey: as redis, from which it was copied."""

from __future__ import annotations

from apm_agent.instruments.redis import rows

PATCHES = rows("valkey", "Valkey")
