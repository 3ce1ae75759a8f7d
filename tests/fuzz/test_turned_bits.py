"""Files that SQLite finds whole and that hold what no writer of ours puts there: turned bits, wild numbers.

A question about one answers as ever, in the shape that the OpenAPI document tells, or says that the store is damaged
and what cures it; the writer carries on or says why not, and its pruning ends.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from apm_agent.errors import StoreError
from apm_agent.store.sqlite import SQLiteStore
from apm_agent.web.answers import ANSWERS
from apm_agent.web.app import dashboard
from apm_agent.web.fitting import fits
from records import process, record
from spoiled import copy, day, questions

#: Rows that a column is set in: all of them, or one of so many.
EVERY = (1, 3, 50)
#: What an integer column of ours never holds, and what it may hold but seldom does.
WILD = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-1, -(2**63), 2**63 - 1, 2**62, 2**53 + 1, -(10**12), 10**15, 0]),
    st.floats(allow_nan=False),
    st.sampled_from(["", "abc", "12", "1e999", "9" * 30, "\x00"]) | st.text(max_size=8),
    st.binary(max_size=9),
    st.none(),
)


def numbers() -> list[tuple[str, str]]:
    """Every column that holds numbers."""
    with closing(sqlite3.connect(day())) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [
            (table, column)
            for table in sorted(tables)
            if not table.startswith(("sqlite_", "_"))
            for _, column, kind, *_ in raw.execute(f'PRAGMA table_info("{table}")')
            if kind in ("INTEGER", "REAL")
        ]


def all_fit(path: Path, asked: list[str]) -> list[str]:
    """Each question is answered in its shape or refused in words; what was said of the damage."""
    client = Client(dashboard(f"sqlite:///{path}", open_to_all=True))
    said = []
    for question in asked:
        name = question.partition("?")[0]
        with client.get(f"/api/v1/{question}") as answer:
            assert answer.status_code in (200, 400, 404, 503), f"{question}: {answer.text[:300]}"
            if answer.status_code != 200:
                said.append(json.loads(answer.data)["error"]["message"])
            elif answer.content_type == "application/json" and "format=" not in question:
                assert fits(answer.get_json(), ANSWERS[name]), f"{question}: {answer.text[:1000]}"
    with client.get("/metrics") as answer:
        assert answer.status_code in (200, 503), answer.text[:300]
    return said


def the_writer_ends(path: Path) -> None:
    """It writes or says in words why not; there is an end to what it prunes."""
    store = SQLiteStore(str(path), process(), busy=0.2)
    try:
        for _ in range(2):
            with suppress(StoreError):
                store.write([record()], {"sampler": {}})
                assert not all(store.prune() for _ in range(100))
    finally:
        store.close()


TURNS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=20)


@settings(max_examples=8, deadline=None)
@given(turns=TURNS, data=st.data())
def test_r34_turned_bits_are_told_in_words(turns: list[tuple[float, int]], data: st.DataObject) -> None:
    asked = data.draw(st.lists(st.sampled_from(questions()), min_size=4, max_size=10), label="asked")
    with copy() as path:
        content = bytearray(path.read_bytes())
        for where, bits in turns:  # behind the header, which says itself that it is damaged
            content[100 + int(where * (len(content) - 100))] ^= bits
        path.write_bytes(content)
        all_fit(path, asked)
        the_writer_ends(path)


CELLS = st.lists(
    st.tuples(st.deferred(lambda: st.sampled_from(numbers())), WILD, st.sampled_from(EVERY)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=8, deadline=None)
@given(cells=CELLS, data=st.data())
def test_r34_no_number_of_any_column_breaks_a_page(
    cells: list[tuple[tuple[str, str], object, int]], data: st.DataObject
) -> None:
    asked = data.draw(st.lists(st.sampled_from(questions()), min_size=4, max_size=10), label="asked")
    with copy() as path:
        spoil(path, cells)
        all_fit(path, asked)
        the_writer_ends(path)


def spoil(path: Path, cells: list[tuple[tuple[str, str], object, int]]) -> None:
    """Put a value into a column, in each so many-th row."""
    with closing(sqlite3.connect(path)) as raw, raw:
        for (table, column), value, every in cells:
            with suppress(sqlite3.IntegrityError):  # a key of which another row has that value, or no number
                raw.execute(
                    f'UPDATE OR IGNORE "{table}" SET "{column}" = ? WHERE "{column}" % ? = 0', (value, every)
                )


def test_r34_what_is_damaged_is_named_with_its_cure_and_moving_it_away_is_one() -> None:
    with copy() as path:
        spoil(path, [(("rollups", "errors"), b"\xff", 1)])
        said = all_fit(path, ["endpoints?range=24h"])
        assert "a value of rollups.errors that cannot be, of type blob" in said[0]
        assert "move it away together with its -wal and -shm files" in said[0]
        path.rename(path.with_name("aside.db"))
        the_writer_ends(path)
        assert all_fit(path, ["endpoints?range=24h"]) == []


def test_r34_words_that_sqlite_cannot_quote_are_a_damaged_file() -> None:
    """Where SQLite quotes what it cannot read, Python cannot read the quote: once no reader and no writer knew it."""
    with copy() as path:
        content = path.read_bytes()
        at = content.index(b"CREATE TABLE endpoints")
        path.write_bytes(content[: at + 8] + b"\xff\xfe" + content[at + 10 :])
        assert "is damaged (malformed)" in all_fit(path, ["endpoints?range=24h"])[0]
        the_writer_ends(path)
        assert [each.name for each in path.parent.glob("apm.db.corrupt-*")]
        assert all_fit(path, ["endpoints?range=24h"]) == []
