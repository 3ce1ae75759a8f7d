"""W3C trace context: reads the `traceparent` a request brings and makes the one that calls to named hosts carry.

https://www.w3.org/TR/trace-context/ - the parent id we send is the id of our transaction in the store, so that
who keeps both services in one store finds the caller. Strangers are told nothing: no host is named by default.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from apm_agent.model.chance import unique
from apm_agent.model.transaction import TRACE, Transaction
from apm_agent.tracing.current import current, transaction_of
from apm_agent.tracing.identity import identity_of

HEADER = "traceparent"
_LENGTH = 55
_HEX = frozenset("0123456789abcdef")
_NO_TRACE, _NO_PARENT = "0" * 32, "0" * 16


class Trace(NamedTuple):
    """The trace a transaction belongs to: its id, who called (None: it began here), whether others sample it."""

    id: str
    parent: str | None
    flags: str = "01"


_hosts: frozenset[str] = frozenset()
_domains: tuple[str, ...] = ()


def configure(hosts: Iterable[str]) -> None:
    """Tell only these hosts from now on; ``.example.com`` and ``*.example.com`` are all below that name."""
    global _hosts, _domains
    names = [host.strip().lower().removeprefix("*") for host in hosts]
    _hosts = frozenset(name for name in names if name and not name.startswith("."))
    _domains = tuple(name for name in names if len(name) > 1 and name.startswith("."))


def accept(transaction: Transaction, header: object) -> None:
    """Let the transaction belong to the trace of a request's header; one that is not valid is as none."""
    trace = read(header)
    if trace is not None:
        if transaction.notes is None:
            transaction.notes = {}
        transaction.notes[TRACE] = trace


def read(header: object) -> Trace | None:
    """What a `traceparent` says, None where it is not one."""
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    if not isinstance(text, str) or not _LENGTH <= len(text) < 10 * _LENGTH:
        return None
    version, trace, parent, flags = text[:2], text[3:35], text[36:52], text[53:55]
    if (
        text[2] != "-" or text[35] != "-" or text[52] != "-" or version == "ff"
        or not _HEX.issuperset(version + trace + parent + flags) or trace == _NO_TRACE or parent == _NO_PARENT
    ):  # fmt: skip
        return None
    # Later versions may add to the end; this one may not.
    if len(text) > _LENGTH and (version == "00" or text[_LENGTH] != "-"):
        return None
    return Trace(trace, parent, "01" if int(flags, 16) & 1 else "00")


def active() -> bool:
    """Whether any host is named at all."""
    return bool(_hosts or _domains)


def told(host: str | None) -> bool:
    """Whether a host is named by the setting."""
    if not host:
        return False
    name = host.lower()
    return name in _hosts or (bool(_domains) and name.endswith(_domains))


def header_for(host: str | None) -> str | None:
    """The `traceparent` for a call to `host`, given without its port; None for strangers and outside a transaction."""
    return header_of_current() if told(host) else None


def header_of_current() -> str | None:
    """The `traceparent` of the current transaction, whoever it is for."""
    here = current.get()
    transaction = None if here is None else transaction_of(here)
    return None if transaction is None else header_of(transaction)


def header_of(transaction: Transaction) -> str:
    """The `traceparent` of what a transaction calls; the same for all its calls."""
    parent = identity_of(transaction)
    notes = transaction.notes
    if notes is None:
        notes = transaction.notes = {}
    # Several threads may work for one transaction.
    trace = notes.get(TRACE) or notes.setdefault(TRACE, Trace(f"{unique(128) or 1:032x}", None))
    return f"00-{trace.id}-{parent:016x}-{trace.flags}"
