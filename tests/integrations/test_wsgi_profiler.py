"""Our ProfilerMiddleware beside werkzeug's: the same requests, the same calls, the same files."""

from __future__ import annotations

import io
import pstats
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.middleware.profiler import ProfilerMiddleware as Werkzeugs
from werkzeug.test import Client

from apm_agent.errors import contained
from apm_agent.integrations.wsgi_profiler import ProfilerMiddleware

#: Functions of the two middlewares themselves, and of the profiler that one of them runs in.
MIDDLEWARES = re.compile(
    r"integrations.wsgi_profiler\.py|middleware.profiler\.py|typing\.py|_lsprof|'extend'|builtins.hasattr"
)


def fib(number: int) -> int:
    return number if number < 2 else fib(number - 1) + fib(number - 2)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"first ")
    for number in range(3):
        yield str(sorted([fib(6), number])).encode()


def called(stats: pstats.Stats) -> dict[tuple[str, str], tuple[int, int, list[str]]]:
    """The application's functions: primitive calls, calls, and who called."""
    return {
        (path.rpartition("/")[2], name): (
            primitive,
            calls,
            sorted(caller[2] for caller in callers if not MIDDLEWARES.search(caller[0])),
        )
        for (path, _, name), (primitive, calls, _, _, callers) in stats.stats.items()  # type: ignore[attr-defined]
        if not MIDDLEWARES.search(f"{path} {name}")
    }


def rows(text: str) -> list[tuple[str, str]]:
    """(calls, function) of the application's lines of a table, in its order."""
    found = re.findall(r"(?m)^ +([0-9/]+) +[0-9. ]+ (.+)$", text)
    return [row for row in found if not MIDDLEWARES.search(row[1])]


def answer(middleware: Any, path: str = "/a/b") -> bytes:
    return Client(middleware).get(path).data


def test_the_files_say_the_same(tmp_path: Path) -> None:
    said = {}
    for name, kind in (("theirs", Werkzeugs), ("ours", ProfilerMiddleware)):
        (tmp_path / name).mkdir()
        assert answer(kind(app, stream=None, profile_dir=str(tmp_path / name))) == b"first [0, 8][1, 8][2, 8]"
        (file,) = (tmp_path / name).iterdir()
        assert re.fullmatch(r"GET\.a\.b\.\d+ms\.\d+\.prof", file.name)
        said[name] = called(pstats.Stats(str(file)))
    assert said["ours"] == said["theirs"]
    assert said["ours"]["test_wsgi_profiler.py", "fib"] == (3, 75, ["app", "fib"])


def test_the_tables_say_the_same() -> None:
    said = []
    for kind in (Werkzeugs, ProfilerMiddleware):
        stream = io.StringIO()
        answer(
            kind(app, stream=stream, sort_by=("calls", "name"), restrictions=(r"test_wsgi_profiler|sorted",)),
            "/",
        )
        text = stream.getvalue()
        assert text.startswith(f"{'-' * 80}\nPATH: '/'\n")
        assert "Ordered by: call count, function name" in text
        said.append(rows(text))
    assert said[0] == said[1]
    assert said[1][0][0] == "75/3"


def test_restrictions_cut_the_table() -> None:
    stream = io.StringIO()
    answer(ProfilerMiddleware(app, stream=stream, sort_by=["calls"], restrictions=[1]))
    ((calls, name),) = rows(stream.getvalue())
    assert (calls, name[-5:]) == ("75/3", "(fib)")


def test_a_callable_names_the_file(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def name(environ: dict[str, Any]) -> str:
        seen.append(environ["werkzeug.profiler"])
        return f"{environ['PATH_INFO'].strip('/')}.prof"

    answer(ProfilerMiddleware(app, stream=None, profile_dir=str(tmp_path), filename_format=name), "/one")
    assert [file.name for file in tmp_path.iterdir()] == ["one.prof"]
    assert set(seen[0]) == {"elapsed", "time"}


def test_requests_at_the_same_time_go_unprofiled_and_are_told_so() -> None:
    inside, go = threading.Barrier(2, timeout=30), threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/first":
            inside.wait()
            assert go.wait(30)
        return [environ["PATH_INFO"].encode()]

    stream = io.StringIO()
    middleware = ProfilerMiddleware(slow, stream=stream)
    thread = threading.Thread(target=answer, args=(middleware, "/first"))
    thread.start()
    inside.wait()
    assert answer(middleware, "/second") == b"/second"
    go.set()
    thread.join()
    assert answer(middleware, "/third") == b"/third"
    told = re.findall(r"PATH: '(/\w+)'\n(not profiled: .*)?", stream.getvalue())
    assert told == [
        ("/second", "not profiled: another transaction is being measured"), ("/first", ""), ("/third", ""),
    ]  # fmt: skip


def test_the_application_s_failure_passes_and_the_next_is_measured() -> None:
    def failing(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/fail":
            raise ValueError("the application's own")
        return []

    stream = io.StringIO()
    middleware = ProfilerMiddleware(failing, stream=stream)
    with pytest.raises(ValueError, match="own"):
        answer(middleware, "/fail")
    assert stream.getvalue() == ""
    answer(middleware, "/")
    assert "function calls" in stream.getvalue()


def test_a_folder_that_is_not_there_costs_no_answer(tmp_path: Path) -> None:
    contained.seen.clear()
    missing = str(tmp_path / "none")
    assert answer(ProfilerMiddleware(app, stream=None, profile_dir=missing)).startswith(b"first")
    assert [what for what, _ in contained.seen] == ["writing a request's profile"]
    contained.seen.clear()
