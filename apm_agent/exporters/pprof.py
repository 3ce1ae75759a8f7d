"""pprof's gzipped protocol buffer (https://github.com/google/pprof/blob/main/proto/profile.proto), by hand."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import TypeVar

from apm_agent.exporters.naming import NO_FRAMES
from apm_agent.model.profile import Frame, Profile

_Key = TypeVar("_Key", Frame, tuple[str, str])
_NOTHING = Frame(NO_FRAMES, "", 0, "lib")


def export(profile: Profile, began_ns: int = 0, lasted_ns: int = 0) -> bytes:
    """One value a sample: nanoseconds. The innermost frame comes first there. The time it is of is told if known."""
    # The numbers are those of the fields in profile.proto.
    texts = _Texts()
    functions: dict[tuple[str, str], int] = {}
    places: dict[Frame, int] = {}
    samples = b"".join(
        _block(
            2,
            _packed(1, [_number(places, frame) for frame in reversed(stack or (_NOTHING,))])
            + _packed(2, [ns]),
        )
        for stack, ns in profile.items()
    )
    locations = b"".join(
        _block(
            4,
            _whole(1, number) + _block(4, _whole(1, _number(functions, _key(frame))) + _whole(2, frame.line)),
        )
        for frame, number in places.items()
    )
    named = b"".join(
        _block(
            5, _whole(1, number) + _whole(2, texts[name]) + _whole(3, texts[name]) + _whole(4, texts[file])
        )
        for (name, file), number in functions.items()
    )
    value = _whole(1, texts["wall"]) + _whole(2, texts["nanoseconds"])
    head, foot = _block(1, value), _whole(13, texts["sampled by apm-agent"]) + _whole(14, texts["wall"])
    if began_ns:
        foot += _whole(9, began_ns) + _whole(10, lasted_ns) + _block(11, value) + _whole(12, 1)
    table = b"".join(_block(6, text.encode("utf-8", "replace")) for text in texts)
    return gzip.compress(head + samples + locations + named + foot + table, mtime=0)


class _Texts(dict[str, int]):
    """The table of strings; number 0 is the empty one."""

    def __init__(self) -> None:
        super().__init__({"": 0})

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


def _key(frame: Frame) -> tuple[str, str]:
    return frame.function or "?", frame.path or frame.file


def _number(known: dict[_Key, int], key: _Key) -> int:
    """Numbers from 1: 0 means none."""
    return known.setdefault(key, len(known) + 1)


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _block(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _block(field, b"".join(map(_varint, values)))
