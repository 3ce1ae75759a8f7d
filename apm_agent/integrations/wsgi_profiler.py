"""Werkzeug's ProfilerMiddleware by our own profiler: a callgraph of each request, printed or kept as a file.

``app = ProfilerMiddleware(app, profile_dir="profiles")`` takes werkzeug's arguments and writes what werkzeug writes.
Two things differ. It is safe where requests run at the same time: one is measured, the others are answered as if it
were not there, and a line in `stream` says so. And it measures the thread of the request alone, on every Python.
"""

from __future__ import annotations

import marshal
import os
import pstats
import sys
import time
from collections.abc import Callable, Iterable
from typing import IO, Any

from apm_agent.errors import contained
from apm_agent.integrations.naming import method_of
from apm_agent.model.callgraph import Call, Callgraph, Node, as_pstats
from apm_agent.model.transaction import Transaction
from apm_agent.profiling.cprofile import Deterministic

_LINE = "-" * 80
_NOTE = "cprofile_note"


class ProfilerMiddleware:
    """Measures each request of `app`; collects its body first, as werkzeug's does, so that all of it is measured.

    `stream` is where the tables go (None: nowhere), sorted by `sort_by` and cut by `restrictions` (see
    `pstats.Stats`); `profile_dir` where a file a request goes, named by `filename_format`: a text with ``{method}``,
    ``{path}``, ``{elapsed}`` (ms) and ``{time}``, or a callable that takes the environ and returns the name.
    """

    def __init__(  # noqa: PLR0917  (werkzeug's own order)
        self,
        app: Callable[..., Iterable[bytes]],
        stream: IO[str] | None = sys.stdout,
        sort_by: Iterable[str] = ("time", "calls"),
        restrictions: Iterable[str | int | float] = (),
        profile_dir: str | None = None,
        filename_format: str
        | Callable[[dict[str, Any]], str] = "{method}.{path}.{elapsed:.0f}ms.{time:.0f}.prof",
    ) -> None:
        self._app = app
        self._stream = stream
        self._sort_by = tuple(sort_by)
        self._restrictions = tuple(restrictions)
        self._profile_dir = profile_dir
        self._filename_format = filename_format
        self._profiler = Deterministic()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._profiler.after_fork)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        transaction = Transaction("web", environ.get("PATH_INFO", ""), time.perf_counter_ns())
        transaction.notes = {"cprofile": True}
        body: list[bytes] = []

        def catching_start_response(
            status: str, headers: Any, exc_info: Any = None
        ) -> Callable[[bytes], None]:
            start_response(status, headers, exc_info)
            return body.append

        self._profiler.start(transaction)
        try:
            _run_app(self._app, environ, catching_start_response, body)
        finally:
            self._profiler.stop(transaction)
        with contained("writing a request's profile"):
            self._write(transaction, environ, (time.perf_counter_ns() - transaction.start_ns) / 1e6)
        return [b"".join(body)]

    def _write(self, transaction: Transaction, environ: dict[str, Any], elapsed: float) -> None:
        measured = transaction.callgraph
        if measured is None:
            self._tell(environ, (transaction.notes or {}).get(_NOTE, "its profiler was taken off"))
            return
        stats = as_pstats(_of_the_app(measured()))
        if self._profile_dir is not None:
            with open(os.path.join(self._profile_dir, self._name(environ, elapsed)), "wb") as file:
                marshal.dump(stats, file)
        if self._stream is not None:
            self._print(environ, stats)

    def _tell(self, environ: dict[str, Any], why: str) -> None:
        if self._stream is not None:
            path = environ.get("PATH_INFO", "")
            print(f"{_LINE}\nPATH: {path!r}\nnot profiled: {why}\n{_LINE}\n", file=self._stream)

    def _print(self, environ: dict[str, Any], stats: dict[Any, Any]) -> None:
        ready: Any = _Ready(stats)
        table = pstats.Stats(ready, stream=self._stream)
        table.sort_stats(*self._sort_by)
        print(_LINE, file=self._stream)
        print(f"PATH: {environ.get('PATH_INFO', '')!r}", file=self._stream)
        table.print_stats(*self._restrictions)
        print(f"{_LINE}\n", file=self._stream)

    def _name(self, environ: dict[str, Any], elapsed: float) -> str:
        now = time.time()
        if callable(self._filename_format):
            environ["werkzeug.profiler"] = {"elapsed": elapsed, "time": now}
            return self._filename_format(environ)
        path = environ.get("PATH_INFO", "").strip("/").replace("/", ".") or "root"
        return self._filename_format.format(
            method=method_of(environ.get("REQUEST_METHOD")), path=path, elapsed=elapsed, time=now
        )


class _Ready:
    """What `pstats.Stats` asks of a profiler that has stopped."""

    def __init__(self, stats: dict[Any, Any]) -> None:
        self.stats = stats

    def create_stats(self) -> None:
        """They are made."""


def _run_app(
    app: Callable[..., Iterable[bytes]], environ: dict[str, Any], start_response: Any, body: list[bytes]
) -> None:
    """All of the request; what this calls is what is shown."""
    found = app(environ, start_response)
    try:
        body.extend(found)
    finally:
        if hasattr(found, "close"):
            found.close()


_RUN_APP = Node(_run_app.__code__.co_filename, _run_app.__code__.co_firstlineno, _run_app.__name__)


def _of_the_app(graph: Callgraph) -> Callgraph:
    """What `_run_app` called, and what that called; not what the profiler did as it started and stopped."""
    made = Callgraph()
    inside, found = {_RUN_APP}, [_RUN_APP]
    calls: dict[Node, list[Node]] = {}
    for callee, callers in graph.callers.items():
        for caller in callers:
            calls.setdefault(caller, []).append(callee)
    while found:
        new = [node for node in calls.get(found.pop(), ()) if node not in inside]
        inside.update(new)
        found += new
    for node in inside & set(graph.functions):
        callers = {caller: call for caller, call in graph.callers.get(node, {}).items() if caller in inside}
        made.callers[node] = callers
        made.functions[node] = _from(graph.functions[node], callers) if callers else graph.functions[node]
    return made


def _from(call: Call, callers: dict[Node, Call]) -> Call:
    """A function's calls without those of nobody that was measured, each of which ran by itself."""
    own = sum(part.own_ns for part in callers.values())
    counted = sum(part.calls for part in callers.values())
    others = call.calls - counted
    return (
        call
        if others <= 0
        else Call(call.primitive - others, counted, own, call.total_ns - (call.own_ns - own))
    )
