"""Many calls of a few endpoints in one store, told one by one: for what is found only in many of them."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from apm_agent.model.profile import RUNNING, Frame
from apm_agent.model.record import FailureRecord, Record, SampleRecord, SpanRecord
from apm_agent.queries import window
from apm_agent.queries.connection import connect
from apm_agent.queries.finding import Finding
from apm_agent.queries.findings import findings
from apm_agent.queries.rollups import measure
from apm_agent.store.sqlite import SQLiteStore
from records import SECOND, process, record, rows

MS = 1_000_000


class Calls:
    """Writes calls, each some seconds ago, by a worker of a release."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "apm.db"
        self.url = f"sqlite:///{self.path}"
        self.now = time.time_ns()
        self._waiting: dict[tuple[str, int], list[Record]] = defaultdict(list)

    def call(
        self,
        name: str,
        ago: float,
        ms: float,
        *,
        release: str = "1.4.0",
        pid: int = 1001,
        error: str | None = None,
        line: int = 0,
        **fields: Any,
    ) -> None:
        """`error`: the type it fails with, at `line` of shop.py (0: only the answer says that it failed)."""
        given: dict[str, Any] = {
            "at": self.now - round(ago * SECOND), "duration_ns": round(ms * MS), "spans": [], "samples": [],
            "insights": [], "times": {}, "queries": 0, "kept": None,
        }  # fmt: skip
        if error is not None:
            given |= {"status": 500, "kept": "failed" if line else None}
            given["failure"] = FailureRecord(
                error, "no", Frame("view", "shop.py", line, "app") if line else None
            )
        self._waiting[release, pid].append(record(name, **given | fields))

    def write(self) -> None:
        """All of them, the oldest release first."""
        for (release, pid), made in sorted(self._waiting.items()):
            store = SQLiteStore(str(self.path), process(pid, release=release))
            for at in range(0, len(made), 1000):
                store.write(made[at : at + 1000], {})
            store.close()
        self._waiting.clear()

    def found(self, kind: str, range_: str | window.Window = "1h", release: str = "") -> dict[str, Finding]:
        """The findings of a kind by endpoint."""
        with connect(self.url) as connection:
            asked = window.of_range(range_) if isinstance(range_, str) else range_
            only = tuple(
                row[0] for row in connection.rows("SELECT id FROM releases WHERE version = ?", (release,))
            )
            measured = measure(connection, asked, only or None)
            names = dict(rows(self.path, "SELECT id, name FROM endpoints"))
            return {
                names[at]: each
                for at, many in findings(connection, asked, only or None, measured).items()
                for each in many
                if each.kind == kind
            }


def query(statement: str, ms: float, line: int) -> SpanRecord:
    """A query asked from that line of shop.py."""
    ns = round(ms * MS)
    frame = Frame("view", "shop.py", line, "app")
    return SpanRecord(None, "db", "SELECT", 0, ns, ns, statement, frame, None, False)


def samples(ms: float, *functions: str) -> list[SampleRecord]:
    """One sample of that much time, in functions of shop.py, the innermost last."""
    stack = tuple(Frame(each, "shop.py", 10 * number, "app") for number, each in enumerate(functions, 1))
    return [SampleRecord(0, round(ms * MS), stack, RUNNING)]
