"""Django's caches over a real redis-server, memcached, SQLite, files and memory, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import daemons

pytestmark = pytest.mark.server

SITE = Path(__file__).with_name("django_cache_site.py")
BACKENDS = {
    "default": "LocMemCache",
    "file": "FileBasedCache",
    "db": "DatabaseCache",
    "redis": "RedisCache",
    "memcached": "PyMemcacheCache",
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("site")
    with daemons.redis(folder) as redis_port, daemons.memcached() as memcached_port:
        run = subprocess.run(
            [sys.executable, "-W", "error", str(SITE), str(folder), str(redis_port), str(memcached_port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


@pytest.mark.parametrize("alias", BACKENDS)
def test_each_operation_is_one_span_with_its_hits(seen: dict[str, Any], alias: str) -> None:
    spans = [span for span in seen[alias] if span[0] == "cache"]
    assert {span[2]["backend"] for span in spans} == {BACKENDS[alias]}
    assert {span[4] for span in spans} == {"use"}
    tops = [(span[1], span[2].get("hits"), span[2].get("misses")) for span in spans if span[3] is None]
    get = "get_many" if alias == "db" else "get"
    expected = [
        ("set", None, None),
        (get, 1, 0),
        (get, 0, 1),
        (get, 0, 1),
        (get, 0, 1),
        ("set_many", None, None),
        ("get_many", 2, 1),
        ("get_many", None, None),
        ("incr", None, None),
        ("incr", None, None),
        ("has_key", 1, 0),
        (get, 0, 1),
    ]
    assert tops[: len(expected)] == expected
    assert ("touch", None, None) in tops
    assert tops[-1] == ("clear", None, None)


def test_django_redis(seen: dict[str, Any]) -> None:
    tops = [(name, tags.get("hits"), tags.get("misses")) for _, name, tags, *_ in seen["django_redis"]]
    assert tops[:8] == [
        ("set", None, None),
        ("get", 1, 0),
        ("get", 0, 1),
        ("get", 0, 1),
        ("get", 0, 1),
        ("set_many", None, None),
        ("get_many", 2, 1),
        ("get_many", None, None),
    ]
    assert {parent for *_, parent, _ in seen["django_redis"]} == {None}


def test_what_a_backend_does_inside_is_part_of_it_but_queries_are_queries(seen: dict[str, Any]) -> None:
    assert {kind for alias in BACKENDS for kind, *_ in seen[alias] if alias != "db"} == {"cache"}
    assert {parent for kind, _, _, parent, _ in seen["db"] if kind == "db"} >= {"set", "get_many"}


def test_async_operations_know_the_line_that_awaits_them(seen: dict[str, Any]) -> None:
    assert [(name, place) for _, name, _, _, place in seen["async"]] == [
        ("set", "use_async"), ("get", "use_async"), ("get", "use_async"),
    ]  # fmt: skip


def test_r18_errors_close_spans_and_pass_through(seen: dict[str, Any]) -> None:
    assert "nothing" in seen["error text"]
    assert next((name, tags["error"]) for _, name, tags, *_ in seen["error"]) == ("incr", "ValueError")
    assert seen["error"][1][1] == "set"


def test_nothing_failed_inside_us(seen: dict[str, Any]) -> None:
    assert seen["contained"] == []
    assert seen["states"]["django_cache"] == ["patched", ""]
