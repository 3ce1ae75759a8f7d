"""Files that are no store any more: cut, overwritten, bits turned, rubbish in every column; nobody falls over it."""

from __future__ import annotations

import functools
import json
import sqlite3
import tempfile
import zlib
from contextlib import closing, suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from apm_agent.errors import StoreError
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.app import dashboard
from records import process, record
from spoiled import copy, day, questions


def all_answer(path: Path, asked: list[str]) -> None:
    """Each question is answered or refused in words; a 500 is a bug of ours."""
    client = Client(dashboard(f"sqlite:///{path}", open_to_all=True))
    for question in asked:
        with client.get(f"/api/v1/{question}") as answer:
            assert answer.status_code in (200, 400, 404, 503), f"{question}: {answer.text[:300]}"
            if answer.status_code != 200:
                assert json.loads(answer.data)["error"]["message"]


def a_writer_carries_on(path: Path) -> None:
    """What it is given is kept, in this file or a new one, or refused in words; never another error."""
    store = SQLiteStore(str(path), process(), busy=0.2)
    try:
        for _ in range(2):
            with suppress(StoreError):
                store.write([record()], {"sampler": {}})
                store.prune()
    finally:
        store.close()


DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
        st.tuples(st.just("put"), st.floats(0, 1), st.binary(min_size=1, max_size=64)),
        st.tuples(st.just("put"), st.floats(0, 0.001), st.binary(min_size=1, max_size=64)),
        st.tuples(st.just("fill"), st.floats(0, 1), st.binary(min_size=1, max_size=1)),
        st.tuples(st.just("add"), st.just(0.0), st.binary(min_size=1, max_size=5000)),
    ),
    min_size=1,
    max_size=6,
)


def damage(path: Path, damages: list[tuple[str, float, bytes]]) -> None:
    data = bytearray(path.read_bytes())
    for kind, where, what in damages:
        at = int(where * len(data))
        if kind == "cut":
            del data[at:]
        elif kind == "put":
            data[at : at + len(what)] = what
        elif kind == "fill":
            data[at : at + 4096] = what * len(data[at : at + 4096])
        else:
            data += what
    path.write_bytes(data)


@settings(max_examples=8, deadline=None)
@given(damages=DAMAGE, log=st.binary(max_size=200) | st.none(), data=st.data())
def test_r34_a_damaged_file_is_read_or_refused_and_written_or_begun_anew(
    damages: list[tuple[str, float, bytes]], log: bytes | None, data: st.DataObject
) -> None:
    asked = data.draw(st.lists(st.sampled_from(questions()), min_size=1, max_size=6))
    with copy() as path:
        damage(path, damages)
        if log is not None:
            path.with_name("apm.db-wal").write_bytes(log)
        all_answer(path, asked)
        a_writer_carries_on(path)
        all_answer(path, asked)


@settings(max_examples=8, deadline=None)
@given(
    content=st.binary(max_size=300) | st.binary(max_size=300).map(lambda rest: b"SQLite format 3\x00" + rest)
)
def test_r34_any_bytes_are_no_store(content: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="apm-fuzz-") as folder:
        path = Path(folder) / "apm.db"
        path.write_bytes(content)
        all_answer(path, ["endpoints?", "health?"])
        a_writer_carries_on(path)
        all_answer(path, ["endpoints?", "health?"])


#: of the document beside a kept transaction
PARTS = (
    "spans", "lost", "samples", "weights", "lost_samples", "gc", "rss", "context", "failure", "insights", "callgraph",
    "captured", "lines", "blocked", "blocking", "cpu", "weights_cpu", "log", "memory",
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=6,
)
DOCUMENTS = JSON.map(json.dumps)
#: What each kind of column can hold; a writer of ours puts nothing of another kind there.
CELLS = {
    "BLOB": st.one_of(
        st.binary(max_size=40), st.sampled_from([b"", b"\x00", b"\xff" * 16]), DOCUMENTS.map(str.encode),
        DOCUMENTS.map(lambda text: zlib.compress(text.encode())),
        st.fixed_dictionaries({"v": st.just(1)}, optional=dict.fromkeys(PARTS, JSON))
        .map(lambda document: zlib.compress(json.dumps(document).encode())),
    ),
    "TEXT": st.one_of(
        st.text(max_size=20), DOCUMENTS, st.sampled_from(["{", "[]", "{}", "null", '{"a":', "1e999", "\x00", ""])
    ),
}  # fmt: skip


@functools.cache
def columns() -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(day())) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [
            (table, column, kind)
            for table in sorted(tables)
            if not table.startswith(("sqlite_", "_"))
            for _, column, kind, *_ in raw.execute(f'PRAGMA table_info("{table}")')
            if kind in CELLS
        ]


@st.composite
def cells(draw: st.DrawFn) -> list[tuple[str, str, object]]:
    chosen = draw(st.lists(st.sampled_from(columns()), min_size=1, max_size=3))
    return [(table, column, draw(CELLS[kind])) for table, column, kind in chosen]


@settings(max_examples=10, deadline=None)
@given(cells=cells(), data=st.data())
def test_r39_no_text_and_no_blob_of_any_column_breaks_a_page(
    cells: list[tuple[str, str, object]], data: st.DataObject
) -> None:
    asked = data.draw(st.lists(st.sampled_from(questions()), min_size=4, max_size=10), label="asked")
    with copy() as path:
        with closing(sqlite3.connect(path)) as raw, raw:
            for table, column, value in cells:
                raw.execute(f'UPDATE OR IGNORE "{table}" SET "{column}" = ?', (value,))
        all_answer(path, asked)
