"""A detail that is JSON and no detail: its page says so and shows the row's own figures; a sound one is not refused."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from typing import Any

import pytest
from werkzeug.test import Client

from apm_agent.queries.detail import unpack
from apm_agent.queries.shape import unsound
from apm_agent.web.app import dashboard
from spoiled import copy, day, questions

BROKEN = {
    "blocked": 1, "spans": [[0]], "samples": {"a": 1}, "gc": [1], "rss": [["x", 1]], "log": [[1, 2]], "failure": 7,
    "insights": ["x"], "lost": "no", "callgraph": {"functions": 3}, "blocking": [1], "lines": [[1]], "memory": [2],
    "weights": [[0, 0]], "captured": 3,
}  # fmt: skip


def test_all_that_a_writer_writes_is_sound() -> None:
    with closing(sqlite3.connect(day())) as raw:
        kept = [unpack(data) for (data,) in raw.execute("SELECT data FROM traces")]
    assert {name for document in kept for name, part in document.items() if part} >= {
        "spans", "samples", "cpu", "insights", "callgraph", "log", "failure", "gc", "rss", "context",
    }  # fmt: skip
    assert [unsound(document) for document in kept] == [""] * len(kept)


@pytest.mark.parametrize("part", BROKEN)
def test_r39_a_part_of_another_shape_is_named(part: str) -> None:
    with copy() as path:
        with closing(sqlite3.connect(path)) as raw, raw:
            (number,) = raw.execute("SELECT max(transaction_id) FROM traces").fetchone()
            document: dict[str, Any] = {"v": 1, part: BROKEN[part]}
            raw.execute("UPDATE traces SET data = ?", (zlib.compress(json.dumps(document).encode()),))
        with Client(dashboard(f"sqlite:///{path}", open_to_all=True)).get(
            f"/api/v1/trace?id={number:016x}"
        ) as answer:
            assert answer.status_code == 200, answer.text
            told = answer.get_json()
    assert unsound(document) == part
    assert told["trace"]["duration_ms"] > 0
    assert not told["detail"], told
    assert told["why_none"] == f"the detail of this transaction is damaged: its {part}"


@pytest.mark.parametrize("part", BROKEN)
def test_r39_whatever_reads_details_answers_or_says_which_is_damaged(part: str) -> None:
    with copy() as path:
        with closing(sqlite3.connect(path)) as raw, raw:
            spoiled = zlib.compress(json.dumps({"v": 1, part: BROKEN[part]}).encode())
            raw.execute("UPDATE traces SET data = ?", (spoiled,))
        client = Client(dashboard(f"sqlite:///{path}", open_to_all=True))
        for question in questions():
            with client.get(f"/api/v1/{question}") as answer:
                assert answer.status_code in (200, 400, 404, 503), f"{question}: {answer.text[:300]}"
                if answer.status_code == 503:
                    assert f"the {part} of the detail of" in answer.text
