"""What one transaction keeps: a planted leak is found by line, by type and by who holds it, and nothing stays."""

from __future__ import annotations

import gc
import inspect
import json
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from apm_agent.errors import contained
from apm_agent.model.arm import MEMORY, Arm
from apm_agent.model.origin import Origin
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.allocations import BUDGET_NS, Allocations
from apm_agent.profiling.deadline import Deadline
from apm_agent.profiling.holders import Holders
from hand import Hand

KEPT: list[Any] = []
ARM = Arm("0" * 16, "GET /orders", MEMORY, 1, 0, 1)


class Cart:
    """One that is kept."""

    everything: dict[int, Any] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.items = ["thing"]


class Shop:
    def __init__(self) -> None:
        self.carts: list[Cart] = []


SHOP = Shop()


class Proxy:
    """Like a framework's proxies outside of a request: every question raises, even the one for its class."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("working outside of a request")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class Meta(type):
    @property
    def __module__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError("module")


class Odd(metaclass=Meta):
    pass


PROXY, ALIAS = Proxy(), list[int]


@pytest.fixture(autouse=True)
def nothing_kept() -> Any:
    yield
    KEPT.clear()
    Cart.everything.clear()
    SHOP.carts.clear()


def measured(work: Callable[[], object], keep: bool = True) -> Transaction:
    # A clock that stands still: holders are looked for until they are found, however busy the machine.
    capture, transaction = Allocations(Origin(), Hand()), Transaction("web", "GET /orders", 0)
    assert capture.prepare(ARM) == ""
    transaction.rss_before = 1
    assert capture.begin(transaction, ARM) == ""
    work()
    assert capture.end(transaction, keep) == ""
    capture.over()
    assert capture.idle
    return transaction


def result(work: Callable[[], object]) -> dict[str, Any]:
    found: dict[str, Any] = measured(work).notes[MEMORY]  # type: ignore[index]
    json.dumps(found)
    return found


def test_a_kept_buffer_is_found_by_its_line() -> None:
    def leak() -> None:
        KEPT.extend(bytearray(100_000) for _ in range(3))
        bytearray(5_000_000).clear()

    line = inspect.getsourcelines(leak)[1] + 1
    found = result(leak)
    path, number, size, blocks = found["lines"][0]
    assert (path, number) == (__file__, line)
    assert 300_000 <= size <= 320_000
    assert 3 <= blocks <= 12
    assert 300_000 <= found["kept"] <= 400_000
    assert found["peak"] >= 5_000_000, "what was let go of shows in the peak"
    assert found["objects"] > 1000
    assert not tracemalloc.is_tracing()


def test_objects_are_counted_by_type_with_who_holds_them() -> None:
    def leak() -> None:
        SHOP.carts.extend(Cart() for _ in range(50))

    found = result(leak)
    types = {kind: by for kind, by, _ in found["types"]}
    name = f"{__name__}.Cart"
    assert types[name] == 50
    assert 50 <= types["list"] <= 60
    holders = dict(found["holders"])
    assert [f"list in attribute carts of {__name__}.Shop", 1] in [list(each) for each in holders[name]]
    assert holders["list"][0][0] == f"attribute items of {name}"
    if sys.version_info >= (3, 12):
        asked_at = next(place for kind, _, place in found["types"] if kind == name)
        assert asked_at[0] == __file__


def test_globals_and_class_attributes_are_named_and_keys_are_not() -> None:
    def leak() -> None:
        for number in range(30):
            Cart.everything[f"secret-{number}"] = [number]  # type: ignore[index]
            KEPT.append({number})

    found = result(leak)
    holders = dict(found["holders"])
    assert holders["list"][0][0] == f"dict {__name__}.Cart.everything"
    assert holders["set"][0][0] == f"list {__name__}.KEPT"
    assert "secret" not in json.dumps(found)


def test_garbage_is_no_growth() -> None:
    def cycles() -> None:
        for _ in range(200):
            one: list[Any] = []
            one.append(one)

    types = {kind: by for kind, by, _ in result(cycles)["types"]}
    assert types.get("list", 0) < 20


def test_r20_nothing_is_pinned() -> None:
    canaries: list[weakref.ref[Cart]] = []

    def leak() -> None:
        SHOP.carts.extend(Cart() for _ in range(20))
        canaries.extend(weakref.ref(cart) for cart in SHOP.carts)

    transaction = measured(leak)
    SHOP.carts.clear()
    gc.collect()
    assert [each for each in canaries if each() is not None] == []
    assert transaction.notes


def test_its_resident_memory_is_not_known_for_the_measurement_takes_some() -> None:
    assert measured(list).rss_before is None


def test_the_pause_of_our_own_collection_is_not_the_applications() -> None:
    transaction = Transaction("web", "GET /orders", 0)
    capture = Allocations(Origin())
    gc.callbacks.append(note := lambda phase, info: setattr(transaction, "gc_pauses", ["ours"]))
    try:
        capture.begin(transaction, ARM)
    finally:
        gc.callbacks.remove(note)
        capture.end(transaction, False)
    assert transaction.gc_pauses is None


def test_thrown_away_it_leaves_nothing() -> None:
    transaction = measured(list, keep=False)
    assert not transaction.notes
    assert not tracemalloc.is_tracing()


def test_who_traces_already_goes_on_tracing() -> None:
    tracemalloc.start(5)
    try:
        KEPT.append(bytearray(400_000))
        found = result(lambda: KEPT.append(bytearray(100_000)))
        assert tracemalloc.is_tracing()
        assert tracemalloc.get_traceback_limit() == 5
    finally:
        tracemalloc.stop()
    assert found["peak"] is None
    assert found["lines"][0][0] == __file__
    assert 100_000 <= found["lines"][0][2] < 200_000


def test_objects_that_answer_with_errors_are_left_in_peace() -> None:
    before = dict(contained.seen)

    class Nasty:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("eq")

        def __hash__(self) -> int:
            raise RuntimeError("hash")

        def __bool__(self) -> bool:
            raise RuntimeError("bool")

    def leak() -> None:
        for _ in range(20):
            nasty = Nasty()
            object.__setattr__(nasty, "held", [1])
            KEPT.extend((nasty, Odd()))

    found = result(leak)
    assert contained.seen == before
    assert any(kind.endswith("Nasty") and by == 20 for kind, by, _ in found["types"])


def test_without_time_nobody_is_asked() -> None:
    now = iter(range(0, 10**12, BUDGET_NS * 2))
    objects = gc.get_objects()
    assert Holders(objects, BUDGET_NS, lambda: next(now)).of([KEPT]) == []


def test_what_allocates_too_much_goes_on_untraced_and_is_not_tried_again() -> None:
    capture, transaction = Allocations(Origin(), Hand(), longest=0.01), Transaction("web", "GET /orders", 0)
    transaction.rss_before = 1
    assert capture.begin(transaction, ARM) == ""
    while tracemalloc.is_tracing():
        KEPT[:] = [str(number) for number in range(1000)]
    assert "allocates too much" in capture.end(transaction, True)
    assert not transaction.notes
    assert transaction.rss_before is None  # tracing took memory, too
    assert "allocates too much" in capture.begin(transaction, ARM)
    assert not tracemalloc.is_tracing()
    other = Arm("1" * 16, "GET /orders", MEMORY, 1, 0, 1)
    assert capture.begin(transaction, other) == ""
    assert tracemalloc.is_tracing()
    capture.end(transaction, False)
    capture.over()
    assert capture.begin(transaction, ARM) == ""
    capture.end(transaction, False)
    assert not tracemalloc.is_tracing()


def test_a_deadline_that_is_met_calls_nobody() -> None:
    called: list[int] = []
    deadline = Deadline(3600, lambda: called.append(1))
    assert deadline.met()
    assert called == []
    assert deadline.missed is False
