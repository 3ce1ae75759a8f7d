"""W3C trace context: what is read from a request, and who is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apm_agent.model.transaction import TRACE, Transaction
from apm_agent.tracing import propagation
from apm_agent.tracing.identity import identity_of
from apm_agent.tracing.propagation import accept, header_of, read, told

TRACE_ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE_ID}-{PARENT}-01"


@pytest.fixture
def hosts() -> Iterator[None]:
    propagation.configure(["Orders.internal", "*.example.com", ".example.net", "", "*", " 10.0.0.1 "])
    yield
    propagation.configure(())


@pytest.mark.parametrize("header", [VALID, VALID.encode(), f"cc-{TRACE_ID}-{PARENT}-01-what-comes-later"])
def test_a_valid_header_is_read(header: str | bytes) -> None:
    assert read(header) == (TRACE_ID, PARENT, "01")
    assert read(f"00-{TRACE_ID}-{PARENT}-00") == (TRACE_ID, PARENT, "00")


@pytest.mark.parametrize(
    "header",
    [
        "", None, 5, VALID[:-1], f"{VALID}-", f"{VALID}x", f"ff-{TRACE_ID}-{PARENT}-01", VALID.upper(), f" {VALID}",
        f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE_ID}-{'0' * 16}-01", VALID.replace("-", "_"), f"{VALID},{VALID}",
        f"cc-{TRACE_ID}-{PARENT}-01x", f"00-{TRACE_ID}-{PARENT}-0\u0661", f"00-{TRACE_ID[:-1]}\n-{PARENT}-01",
        VALID * 100, "'; drop table transactions; --", "<script>alert(1)</script>" * 3, b"\xff" * 55, "é" * 55,
    ],
)  # fmt: skip
def test_a_hostile_header_is_as_none(header: object) -> None:
    assert read(header) is None
    transaction = Transaction("web", "GET /", 1)
    accept(transaction, header)
    assert transaction.notes is None


@given(st.one_of(st.text(max_size=120), st.binary(max_size=120), st.text("0123456789abcdef-", max_size=60)))
def test_whatever_comes_reading_never_raises(header: str | bytes) -> None:
    trace = read(header)
    assert trace is None or (len(trace.id), len(trace.parent or "")) == (32, 16)


def test_only_hosts_that_are_named_are_told(hosts: None) -> None:
    assert [told(h) for h in ("orders.internal", "ORDERS.INTERNAL", "a.example.com", "a.b.example.net")] == [
        True
    ] * 4
    assert told("10.0.0.1")
    strangers = (
        "example.com",
        "badexample.com",
        "orders.internal.evil.com",
        "evil.com",
        "",
        None,
        "10.0.0.10",
    )
    assert not any(told(host) for host in strangers)


def test_by_default_nobody_is_told() -> None:
    propagation.configure(())
    assert not propagation.active()
    assert not any(told(host) for host in ("localhost", "127.0.0.1", "example.com", ""))


def test_a_transaction_continues_the_trace_it_came_with() -> None:
    transaction = Transaction("web", "GET /", 1)
    accept(transaction, VALID)
    header = header_of(transaction)
    assert header == f"00-{TRACE_ID}-{identity_of(transaction):016x}-01"
    assert read(header) is not None
    assert header_of(transaction) == header


def test_one_that_came_with_none_begins_its_own() -> None:
    one, other = Transaction("web", "GET /", 1), Transaction("web", "GET /", 1)
    first = read(header_of(one))
    assert first is not None
    assert first == read(header_of(one))
    assert first != read(header_of(other))
    assert one.notes is not None
    assert one.notes[TRACE].parent is None
