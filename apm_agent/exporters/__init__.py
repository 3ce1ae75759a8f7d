"""Writes a profile in another tool's format: one file a format, found by one table."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple, Protocol

from apm_agent.errors import NotFoundError, QuestionError
from apm_agent.model.callgraph import Callgraph
from apm_agent.model.profile import Profile
from apm_agent.model.record import Record


class Format(NamedTuple):
    """A row of the table; the module is only loaded when it is asked for."""

    module: str
    content_type: str
    ending: str
    #: What ``export`` takes: names of `Subject`'s methods.
    takes: tuple[str, ...] = ("profile",)
    #: What opens it, for people.
    opens: str = ""


class Subject(Protocol):
    """What is exported: a transaction, an endpoint in a window, or all there is; None: it has no such thing."""

    @property
    def prefers(self) -> str:
        """The source that speaks for it best, where a format takes several."""

    def profile(self) -> Profile | None:
        """Sampled: nanoseconds by stack."""

    def callgraph(self) -> Callgraph | None:
        """Measured call by call."""

    def record(self) -> Record | None:
        """One transaction, in the order in which it happened."""


_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_MEASURED = ("callgraph", "profile")

#: Format → module with ``export(source) -> bytes``, its content type and what a download's name ends in.
EXPORTERS = {
    "speedscope": Format(
        "apm_agent.exporters.speedscope", _JSON, ".speedscope.json",
        opens="[speedscope](https://www.speedscope.app)",
    ),
    "folded": Format(
        "apm_agent.exporters.folded", _TEXT, ".folded.txt",
        opens="[flamegraph.pl](https://github.com/brendangregg/FlameGraph), inferno, speedscope",
    ),
    "pstats": Format(
        "apm_agent.exporters.pstats", "application/octet-stream", ".pstats", _MEASURED,
        "`python -m pstats`, snakeviz, tuna, gprof2dot",
    ),
    "callgrind": Format(
        "apm_agent.exporters.callgrind", _TEXT, ".callgrind", _MEASURED,
        "KCachegrind, QCachegrind, `callgrind_annotate`",
    ),
    "pprof": Format(
        "apm_agent.exporters.pprof", "application/octet-stream", ".pprof.pb.gz",
        opens="`go tool pprof -http=: FILE`, Grafana Pyroscope, Polar Signals",
    ),
    "chrome": Format(
        "apm_agent.exporters.chrome", _JSON, ".chrome.json", ("record",),
        "[Perfetto](https://ui.perfetto.dev), `chrome://tracing`",
    ),
    "firefox": Format(
        "apm_agent.exporters.firefox", _JSON, ".firefox.json",
        opens="[Firefox Profiler](https://profiler.firefox.com)",
    ),
    "dot": Format(
        "apm_agent.exporters.dot", "text/vnd.graphviz; charset=utf-8", ".dot", _MEASURED,
        "Graphviz: `dot -Tsvg FILE`, xdot",
    ),
    "html": Format(
        "apm_agent.exporters.html", "text/html; charset=utf-8", ".html",
        opens="any browser, also without a network",
    ),
    "text": Format("apm_agent.exporters.text", _TEXT, ".txt", opens="any terminal or pager"),
}  # fmt: skip

_LACKS = {
    "profile": "samples of it are in the store",
    "callgraph": "cProfile measured it",
    "record": "it is about one transaction whose detail was kept",
}


def write(form: str, subject: Subject, source: str = "") -> bytes:
    """The subject in a format, from the source that speaks for it best, or from `source` alone."""
    row = EXPORTERS.get(form)
    if row is None:
        raise QuestionError(f"format={form[:40]!r} is not one of {', '.join(EXPORTERS)}")
    if source and source not in row.takes:
        raise QuestionError(
            f"source={source[:40]!r}: {form} is written from {' or '.join(row.takes)}, not from that"
        )
    sources = [source] if source else sorted(row.takes, key=lambda each: each != subject.prefers)
    for each in sources:
        found = getattr(subject, each)()
        if found is not None:
            written: bytes = import_module(row.module).export(found)
            return written
    raise NotFoundError(
        f"format={form} can only be written when {' or '.join(_LACKS[each] for each in sources)}"
    )
