"""Reads the blob beside a kept transaction: its spans, samples and evidence."""

from __future__ import annotations

import json
import zlib
from typing import Any

from apm_agent.errors import StoreError

_VERSION = 1
_MOST_BYTES = 64 * 2**20


def _nothing(name: str) -> None:
    """NaN and the infinities are no JSON, whoever wrote them."""


def unpack(data: bytes) -> dict[str, Any]:
    """The document `traces.data` holds; refuses one that is damaged, too large or from a newer writer."""
    try:
        reader = zlib.decompressobj()
        text = reader.decompress(data, _MOST_BYTES)
        if reader.unconsumed_tail:
            raise StoreError("the detail of this transaction is larger than 64 MB and is not read")
        document = json.loads(text, parse_constant=_nothing)
    except (zlib.error, ValueError) as error:
        raise StoreError(f"the detail of this transaction is damaged: {error}") from error
    if not isinstance(document, dict) or document.get("v") != _VERSION:
        raise StoreError("the detail of this transaction was written by another version of apm-agent")
    return document
