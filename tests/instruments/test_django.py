"""Django's ORM and templates, seen from a real site in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).with_name("django_site.py")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-W", "error", str(SITE), str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def statements(spans: list[Any]) -> list[str]:
    return [span[2] or span[1] for span in spans]


def test_each_statement_is_one_span_though_the_driver_is_watched_too(seen: dict[str, Any]) -> None:
    said = statements(seen["orm"])
    # Whether one INSERT of many rows has a transaction of its own depends on Django's version.
    assert said.count("BEGIN") == said.count("COMMIT") >= 1
    assert [text for text in said if text not in ("BEGIN", "COMMIT")] == [
        'INSERT INTO "notes_note" ("title") VALUES (%s) RETURNING "notes_note"."id"',
        'INSERT INTO "notes_note" ("title") VALUES (%s), (%s) RETURNING "notes_note"."id"',
        'SELECT COUNT(*) AS "__count" FROM "notes_note" WHERE "notes_note"."title" LIKE %s ESCAPE \'\\\'',
        "UPDATE notes_note SET title = title WHERE id = %s",
    ]
    assert {(kind, parent, closed) for kind, _, _, _, parent, closed, _ in seen["orm"]} == {
        ("db", None, True)
    }
    assert {place for *_, place in seen["orm"]} == {"orm"}
    assert seen["orm"][-1][3] == {"system": "sqlite", "rows": 2}


def test_rows_that_are_fetched_later_are_the_statements(seen: dict[str, Any]) -> None:
    assert seen["fetched"] == [[3, True, False], [1, True, False]]


def test_r18_a_failing_statement_closes_its_span(seen: dict[str, Any]) -> None:
    assert seen["error text"] == "UNIQUE constraint failed: notes_note.title"
    assert [span[3] for span in seen["error"]] == [{"system": "sqlite", "error": "IntegrityError"}]


def test_connecting_is_one_span_and_leaves_a_users_wrapper_in_place(seen: dict[str, Any]) -> None:
    count = 'SELECT COUNT(*) AS "__count" FROM "notes_note"'
    assert statements(seen["wrappers"]) == ["connect", count]
    assert statements(seen["thread"]) == ["connect", count]


def test_async_queries_know_the_line_that_awaits_them(seen: dict[str, Any]) -> None:
    first_words = [text.split()[0] for text in statements(seen["async"])]
    assert first_words == ["connect", "SELECT", "SELECT"]
    assert {place for *_, place in seen["async"]} == {"asynchronous"}


def test_templates_with_includes_and_the_queries_in_them(seen: dict[str, Any]) -> None:
    assert [(span[1], span[4]) for span in seen["templates"]] == [
        ("compile list.html", None),
        ("list.html", None),
        ("compile base.html", 1),
        ("compile row.html", 1),
        ("row.html", 1),
        ("row.html", 1),
    ]
    assert [(span[0], span[4]) for span in seen["lazy"]] == [
        ("template", None), ("db", 0), ("template", 0), ("template", 0), ("template", 0),
    ]  # fmt: skip
    assert seen["template error text"] == "bad note"
    assert [span[3] for span in seen["template error"]] == [{"error": "ValueError"}] * 2


def test_nothing_failed_inside_us(seen: dict[str, Any]) -> None:
    assert seen["contained"] == []
    assert seen["states"]["django_orm"] == seen["states"]["django_templates"] == "patched"
