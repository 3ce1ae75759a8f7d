"""A dashboard that may ask databases for plans, over a store that has seen statements of an application."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from werkzeug.test import Client, TestResponse

from apm_agent.model.profile import Frame
from apm_agent.model.record import Record, SpanRecord
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from records import process, record

HERE = {"REMOTE_ADDR": "127.0.0.1", "SERVER_PROTOCOL": "HTTP/1.1"}


class Asked:
    """A store that saw these statements, and its dashboard over HTTP."""

    def __init__(self, path: Path, explain: Sequence[str]) -> None:
        self.path = path
        self.client = Client(dashboard(f"sqlite:///{path}", explain=explain))

    def saw(self, *statements: str, release: str = "1.0") -> None:
        store = SQLiteStore(str(self.path), process(release=release), 2**30)
        store.write([ran(text) for text in statements], {})
        store.close()

    def get(self, question: str) -> TestResponse:
        return self.client.get(f"/api/v1/{question}", environ_base=HERE)

    def id_of(self, statement: str) -> str:
        found = self.get("queries?range=1h&limit=1000").get_json()["queries"]
        return next(str(row["id"]) for row in found if row["text"] == statement)

    def plan(self, statement: str, database: str = "") -> TestResponse:
        document = {"statement": self.id_of(statement), "database": database}
        return self.client.post("/api/v1/plan", json=document, environ_base=HERE)


def ran(statement: str) -> Record:
    """A transaction that ran a statement once, as the writer hands it to the store."""
    where = Frame("orders", "shop.py", 7, "app", "/shop.py")
    span = SpanRecord(None, "db", "SELECT", 0, 5_000_000, 5_000_000, statement, where, None, False)
    return record(spans=[span], insights=[])
