"""Gives back names to the ids of frames, stacks and statements."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from apm_agent.model.profile import Frame, Stack
from apm_agent.queries.connection import Connection

#: A stack or frame that is no longer in the store still has its time.
UNKNOWN = Frame("(forgotten)", "", 0, "lib", "")

_AT_ONCE = 500


def frames(connection: Connection, ids: Iterable[int]) -> dict[int, Frame]:
    """Frames by id; 0 means none and is left out."""
    rows = _by_ids(connection, "SELECT id, function, file, line, category, path FROM frames WHERE id IN", ids)
    return {row[0]: Frame(*row[1:]) for row in rows}


def statements(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """Normalised SQL texts by id."""
    return {row[0]: row[1] for row in _by_ids(connection, "SELECT id, text FROM statements WHERE id IN", ids)}


def stacks(connection: Connection, ids: Iterable[int]) -> dict[int, Stack]:
    """Stacks by id, outermost frame first."""
    packed = {
        row[0]: unpack(row[1])
        for row in _by_ids(connection, "SELECT id, frames FROM stacks WHERE id IN", ids)
    }
    known = frames(connection, {frame for stack in packed.values() for frame in stack})
    return {key: tuple(known.get(frame, UNKNOWN) for frame in stack) for key, stack in packed.items()}


def unpack(data: bytes) -> tuple[int, ...]:
    """Frame ids from little-endian signed 64-bit numbers."""
    return struct.unpack(f"<{len(data) // 8}q", data[: len(data) // 8 * 8])


def where(frame: Frame | None) -> dict[str, Any] | None:
    """A frame as the API writes a place."""
    return {"file": frame.file, "line": frame.line, "function": frame.function} if frame else None


def _by_ids(connection: Connection, sql: str, ids: Iterable[int]) -> list[tuple[Any, ...]]:
    wanted = [key for key in set(ids) if key]
    found: list[tuple[Any, ...]] = []
    for at in range(0, len(wanted), _AT_ONCE):
        part = wanted[at : at + _AT_ONCE]
        found += connection.rows(f"{sql} ({', '.join('?' * len(part))})", part)
    return found
