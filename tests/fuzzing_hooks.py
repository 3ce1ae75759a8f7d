"""What Schemathesis is told beside the OpenAPI document: ids that are in the store, and rules between parameters.

A document cannot say that `range` excludes `from`, or that `to` comes after it. Data that is meant to be valid is made
to keep such rules here, so that each refusal of valid data is a finding. Data that is meant to be wrong stays as it is.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import schemathesis

#: name of a parameter → values of it that are in the store
KNOWN: dict[str, list[str]] = json.loads(os.environ.get("APM_FUZZ_KNOWN", "{}"))
_LONGEST = 399 * 86400
_dice = random.Random(1)


@schemathesis.hook
def before_call(ctx: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Keep the rules between parameters, where the data is meant to be valid."""
    if case.meta is None or not case.meta.generation.mode.is_positive or case.method.upper() != "GET":
        return
    query = {name: value for name, value in (case.query or {}).items() if value != ""}
    question = case.path.rpartition("/")[2]
    for name in ("id", "name", "service", "release", "file", "function", "frame", "a", "b"):
        values = KNOWN.get(f"{question}.{name}") or KNOWN.get(name)
        if name in query and values and _dice.random() < 0.8:
            query[name] = _dice.choice(values)
    _between(query, "from", "to")
    _between(query, "base_from", "base_to")
    if "from" in query:
        query.pop("range", None)
    if {"min_ms", "max_ms"} <= set(query):
        query["min_ms"], query["max_ms"] = sorted((query["min_ms"], query["max_ms"]), key=float)
    if question == "profile":
        _of_profile(query)
    if question == "compare" or query.get("page") == "compare":
        _of_compare(query)
    if question == "saved" and query.get("page") != "compare":
        query["name"], query["id"] = _dice.choice(KNOWN["name"]), _dice.choice(KNOWN["id"])
    if question == "blame" and "id" not in query:
        query.setdefault("name", "GET /orders")
    case.query = query


def _between(query: dict[str, Any], start: str, end: str) -> None:
    """Both as numbers, in their order, not too far apart; none alone that may lie in the future."""
    if start not in query or end not in query:
        query.pop(start, None)
        query.pop(end, None)
        return
    low, high = sorted(_seconds(query[name]) for name in (start, end))
    query[start], query[end] = low, min(max(high, low + 60), low + _LONGEST, 4_102_444_800)
    if query[end] <= query[start]:
        query[start] = query[end] - 60


def _seconds(moment: Any) -> float:
    try:
        return float(moment)
    except ValueError:
        return 946_684_800.0 + 60 * (hash(moment) % 50_000_000)


def _of_profile(query: dict[str, Any]) -> None:
    """A download needs what it is made of; another clock is answered in columns alone."""
    form = query.get("format", "columnar")
    if form != "columnar":
        query.pop("clock", None)
        if "id" not in query and form in KNOWN.get("formats of one transaction", ()):
            query.pop("format")
    query.pop("source", None)


def _of_compare(query: dict[str, Any]) -> None:
    """Both sides or none, and sides that are there."""
    if not {"a", "b"} <= set(query):
        query.pop("a", None)
        query.pop("b", None)
    for name in (
        "name",
        "kind",
        "service",
        "release",
        "range",
        "from",
        "to",
        "b_name",
        "b_kind",
        "b_service",
    ):
        query.pop(name, None)  # what has nothing to compare is refused
    for name in ("a", "b"):
        if str(query.get(name, "")).partition(":")[0] in ("tx", "release"):
            query[name] = _dice.choice(KNOWN["a"])
