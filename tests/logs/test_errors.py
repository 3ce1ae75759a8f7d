"""Error groups: one a type and own line, whatever the message says."""

from __future__ import annotations

import pytest

import apm_agent
from logs_kept import Kept


def price(number: int) -> None:
    raise LookupError(f"no price for {number}")


def stock(number: int) -> None:
    raise LookupError(f"no stock of {number}")


def count() -> None:
    raise OverflowError


def test_failures_are_grouped_by_type_and_own_line(kept: Kept) -> None:
    for name, call, argument in (("a", price, 1), ("b", price, 2), ("a", stock, 1), ("a", price, 3)):
        with pytest.raises(LookupError), apm_agent.background_transaction(name):
            call(argument)
    with pytest.raises(OverflowError), apm_agent.background_transaction("a"):
        count()
    with apm_agent.background_transaction("fine"):
        pass
    groups = kept.errors()
    assert [(each["type"], each["function"], each["count"]) for each in groups] == [
        ("LookupError", "price", 3),
        ("OverflowError", "count", 1),
        ("LookupError", "stock", 1),
    ]
    first = groups[0]
    assert first["file"].endswith("test_errors.py")
    assert first["line"] == price.__code__.co_firstlineno + 1
    assert [(each["name"], each["kind"], each["count"]) for each in first["endpoints"]] == [
        ("a", "background", 2),
        ("b", "background", 1),
    ]
    assert first["first"] <= first["last"]
    assert len(first["traces"]) == 3
    assert kept.errors()[0]["message"] == "no price for 3"


def test_what_only_answered_that_it_failed_is_a_group_of_its_own(kept: Kept) -> None:
    for _ in range(2):
        with apm_agent.background_transaction("GET /") as transaction:
            transaction.status = 503
    [group] = kept.errors()
    assert (group["type"], group["count"], group["file"], group["message"]) == ("HTTP 503", 2, None, None)
