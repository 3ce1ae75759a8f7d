"""Reads the blob beside a kept transaction: its spans, samples and evidence."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
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


def clocked(document: dict[str, Any]) -> list[int | None]:
    """The processor time of each timed sample; not known of what was written before it was kept."""
    samples, spent = document.get("samples") or (), document.get("cpu") or ()
    return list(spent) if len(spent) == len(samples) else [None] * len(samples)


def summed(document: dict[str, Any]) -> list[tuple[int, int]]:
    """Of each of the weights, processor time and of how many ns it is known."""
    weights, spent = document.get("weights") or (), document.get("weights_cpu") or ()
    if len(spent) != len(weights):
        return [(0, 0)] * len(weights)
    return [(cpu, known) for cpu, known in spent]


def weighed(document: dict[str, Any]) -> Iterator[tuple[int, int, int, int, int, int]]:
    """All samples: stack, state, how many, ns, processor time and of how many ns it is known."""
    samples, weights = document.get("samples") or (), document.get("weights") or ()
    for (_, ns, stack, state), cpu in zip(samples, clocked(document), strict=True):
        yield stack, state, 1, ns, cpu or 0, 0 if cpu is None else ns
    for (stack, state, ns), (cpu, known) in zip(weights, summed(document), strict=True):
        yield stack, state, 0, ns, cpu, known
