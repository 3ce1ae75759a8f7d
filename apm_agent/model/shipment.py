"""A finished transaction as it leaves for another system: read from the store, written in that system's format."""

from __future__ import annotations

from typing import Any, NamedTuple

from apm_agent.model.profile import Frame


class ShippedSpan(NamedTuple):
    """One span: the index of its parent in the list (None: the transaction); offsets are nanoseconds."""

    parent: int | None
    kind: str
    name: str
    offset_ns: int
    duration_ns: int
    statement: str | None
    where: Frame | None
    tags: dict[str, Any]


class Origin(NamedTuple):
    """The process a transaction ran in."""

    service: str
    environment: str
    release: str
    host: str
    pid: int
    python: str


class Shipped(NamedTuple):
    """One transaction; `spans` is empty where the store kept no detail of it. `None` means not known."""

    id: int
    origin: Origin
    kind: str
    name: str
    view: str | None
    started_ns: int
    duration_ns: int
    method: str | None
    path: str | None
    status: int | None
    failed: bool
    error: tuple[str, str] | None
    where: Frame | None
    queue_ns: int | None
    cpu_ns: int | None
    context: dict[str, Any]
    spans: list[ShippedSpan]


class Sums(NamedTuple):
    """The figures of its row that are of no use to a collector of traces."""

    first_byte_ns: int | None
    rss_before: int | None
    rss_after: int | None
    overlap: int
    queries: int
    db_ns: int
    http_ns: int
    template_ns: int
    cache_ns: int
    wait_ns: int
    gc_ns: int
    #: why its detail was kept; None: it was not
    kept: str | None
    #: the chance that detail had
    share: float
