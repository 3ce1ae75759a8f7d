"""Every format says the same profile: to the nanosecond, whatever the names."""

from __future__ import annotations

import gzip
import itertools
import json
import marshal
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.errors import QuestionError
from apm_agent.exporters import EXPORTERS, folded, speedscope, text, write
from apm_agent.model.callgraph import Call, Callgraph, Node
from apm_agent.model.profile import RUNNING, WAITING, Frame, Profile
from apm_agent.model.record import Record, SampleRecord, SpanRecord
from apm_agent.queries.profile import Profiled, Weighed, columnar

DOCS = Path(__file__).parents[2] / "docs" / "exporters.md"

NAMES = st.text(max_size=20)
FRAMES = st.builds(Frame, NAMES, NAMES, st.integers(0, 9), st.sampled_from(["app", "lib", "std"]), NAMES)
STACKS = st.lists(FRAMES, max_size=6).map(tuple)
PROFILES = st.dictionaries(STACKS, st.integers(0, 10**15), max_size=12)
CALLS = st.builds(Call, st.integers(0, 9), st.integers(0, 9), st.integers(0, 10**15), st.integers(0, 10**15))
NODES = st.builds(Node, NAMES, st.integers(0, 99), NAMES)


@st.composite
def callgraphs(draw: st.DrawFn) -> Callgraph:
    graph = Callgraph()
    graph.functions = draw(st.dictionaries(NODES, CALLS, max_size=8))
    known = st.sampled_from(sorted(graph.functions)) if graph.functions else st.nothing()
    graph.callers = {node: draw(st.dictionaries(known, CALLS, max_size=4)) for node in graph.functions}
    return graph


def record_of(profile: Profile) -> Record:
    """The profile as one transaction: its samples one after the other, half of them past the limit."""
    record = Record(7, "web", "GET /", 10**18, sum(profile.values()))
    at = 0
    for number, (stack, ns) in enumerate(profile.items()):
        at += ns
        if number % 2:
            record.weights[stack, WAITING] = ns
        else:
            record.samples.append(SampleRecord(at, ns, stack, RUNNING))
    return record


def export(form: str, source: Profile | Callgraph | Record) -> bytes:
    data: bytes = import_module(EXPORTERS[form].module).export(source)
    return data


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer's message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            assert key & 7 == 2
            length = varint()
            yield key >> 3, data[at : at + length]
            at += length


def pprof_total(data: bytes) -> int:
    total = 0
    for number, message in fields(gzip.decompress(data)):
        if number == 2 and isinstance(message, bytes):
            (packed,) = (value for field, value in fields(message) if field == 2)
            assert isinstance(packed, bytes)
            total += next(value for _, value in fields(b"\x08" + packed) if isinstance(value, int))
    return total


def callgrind_total(data: bytes) -> int:
    """Own costs, the lines that follow no `calls=`; held against the two sums in the file."""
    lines = data.decode().split("\n")
    own = sum(
        int(line.split()[1])
        for before, line in itertools.pairwise(lines)
        if line[:1].isdigit() and not before.startswith("calls=")
    )
    told = {line.partition(": ")[2] for line in lines if line.startswith(("summary: ", "totals: "))}
    assert told == {str(own)}
    return own


def chrome_total(data: bytes) -> int:
    """Whatever lies on a track of samples and in no other slice of it."""
    events = json.loads(data)["traceEvents"]
    slices = defaultdict(list)
    for event in events:
        if event["ph"] == "X" and event["tid"] >= 1000:
            start = round(event["ts"] * 1000)
            slices[event["tid"]].append((start, -round(event["dur"] * 1000)))
    total = 0
    for track in slices.values():
        end = None
        for start, length in sorted(track):
            if end is None or start >= end:
                end = start - length
                total -= length
            assert start - length <= end, "slices of one track are nested"
    return total


def html_data(data: bytes) -> dict[str, list[int]]:
    found = re.search(rb'<script type="application/json" id="data">(.*?)</script>', data, re.DOTALL)
    assert found
    columns: dict[str, list[int]] = json.loads(found[1])
    return columns


TOTALS: dict[str, Callable[[bytes], int]] = {
    "speedscope": lambda data: sum(json.loads(data)["profiles"][0]["weights"]),
    "folded": lambda data: sum(int(line.rpartition(b" ")[2]) for line in data.split(b"\n")[:-1]),
    "pstats": lambda data: sum(round(row[2] * 1e9) for row in marshal.loads(data).values()),
    "callgrind": callgrind_total,
    "pprof": pprof_total,
    "chrome": chrome_total,
    "firefox": lambda data: sum(
        round(ms * 1e6) for ms in json.loads(data)["threads"][0]["samples"]["weight"]
    ),
    "dot": lambda data: sum(map(int, re.findall(rb"(?m)^(?:n\d+|rest) .*own_ns=(\d+)[^\"]*\];$", data))),
    "html": lambda data: sum(html_data(data)["own"]),
    "text": lambda data: int(data.split(b" ")[0].replace(b",", b"")),
}


def test_every_row_of_the_table_is_checked_and_documented() -> None:
    assert set(TOTALS) == set(EXPORTERS)
    rows = re.findall(r"(?m)^\| `(\w+)` \| `\*?(\S+)` \| ([^|]+) \| ([^|]+) \|$", DOCS.read_text())
    written = [(name, ending, takes.strip(), opens.strip()) for name, ending, takes, opens in rows]
    said = {"profile": "samples", "callgraph": "calls", "record": "one transaction"}
    assert written == [
        (name, row.ending, ", else ".join(said[each] for each in row.takes), row.opens)
        for name, row in EXPORTERS.items()
    ]


@pytest.mark.parametrize("form", EXPORTERS)
def test_nothing_is_a_file_too(form: str) -> None:
    takes = EXPORTERS[form].takes
    for source, empty in (("profile", {}), ("callgraph", Callgraph()), ("record", record_of({}))):
        if source in takes:
            assert TOTALS[form](export(form, empty)) == 0


@settings(max_examples=60, deadline=None)
@given(PROFILES)
def test_totals_agree_to_the_nanosecond(profile: Profile) -> None:
    total = sum(profile.values())
    tree = columnar(Profiled([Weighed(stack, 0, 1, ns) for stack, ns in profile.items()], 1), 0.0)
    assert tree["total_ns"] == sum(tree["nodes"]["own_ns"]) == total
    said = {
        form: TOTALS[form](export(form, profile if "profile" in row.takes else record_of(profile)))
        for form, row in EXPORTERS.items()
    }
    assert said == dict.fromkeys(EXPORTERS, total)


@settings(max_examples=60, deadline=None)
@given(callgraphs())
def test_totals_of_a_callgraph_agree_too(graph: Callgraph) -> None:
    total = sum(call.own_ns for call in graph.functions.values())
    measured = [form for form, row in EXPORTERS.items() if "callgraph" in row.takes]
    assert {form: TOTALS[form](export(form, graph)) for form in measured} == dict.fromkeys(measured, total)


@settings(max_examples=50, deadline=None)
@given(PROFILES)
def test_text_adds_up_line_by_line(profile: Profile) -> None:
    total = sum(profile.values())
    lines = text.export(profile).decode().split("\n")[3:-1]
    wide = lines and max(12, *(len(re.match(r" *[0-9,.]+", line)[0]) for line in lines))  # type: ignore[index]
    cells = [(line[:wide], line[wide + 1 : 2 * wide + 1], line[2 * wide + 3 :]) for line in lines]
    totals, own = ([int(re.sub("[,. ]", "", row[at]) or 0) for row in cells] for at in (0, 1))
    assert sum(own) == (total + 500) // 1000
    tops = [us for us, row in zip(totals, cells, strict=True) if not row[2].startswith(" ")]
    assert sum(tops) == sum(own)


def test_text_folds_libraries_and_keeps_own_code(profile: Profile) -> None:
    assert text.export(profile).decode() == (
        "78,791,111,116 ns sampled, in ms; libraries are folded\n"
        "\n"
        "       total          own  function\n"
        "  78,791.111               [serve (flask/app.py:1)]\n"
        "  77,787.778   77,777.778    view (shop.py:9)\n"
        "      10.000       10.000      (smaller or deeper)\n"
        "   1,003.333                 view (shop.py:7)\n"
        "   1,003.333        3.333      walk (shop.py:20)\n"
        "   1,000.000                     walk (shop.py:20)\n"
        "   1,000.000    1,000.000          [leaf (lib/leaf.py:3)]\n"
        "       0.000               (smaller or deeper)\n"
    )


@settings(max_examples=50, deadline=None)
@given(PROFILES)
def test_speedscope_is_what_its_schema_wants(profile: Profile) -> None:
    document = json.loads(speedscope.export(profile))
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = document["shared"]["frames"]
    for frame in frames:
        assert isinstance(frame["name"], str)
        assert set(frame) <= {"name", "file", "line", "col"}
        assert frame.get("line", 1) >= 1
    (only,) = document["profiles"]
    assert (only["type"], only["unit"]) == ("sampled", "nanoseconds")
    assert len(only["samples"]) == len(only["weights"]) == len(profile)
    assert all(0 <= index < len(frames) for sample in only["samples"] for index in sample)
    assert all(weight >= 0 for weight in only["weights"])
    assert only["endValue"] - only["startValue"] == sum(only["weights"])


@settings(max_examples=50, deadline=None)
@given(PROFILES)
def test_folded_lines_keep_the_depth_of_each_stack(profile: Profile) -> None:
    depths: dict[int, int] = defaultdict(int)
    for stack, ns in profile.items():
        depths[max(1, len(stack))] += ns
    told: dict[int, int] = defaultdict(int)
    for line in folded.export(profile).decode().split("\n")[:-1]:
        stack, _, ns = line.rpartition(" ")
        told[stack.count(";") + 1] += int(ns)
    assert told == depths


def test_folded_escapes_what_separates() -> None:
    profile = {(Frame("a;b", "x\ny.py", 1), Frame("<lambda>", "", 0)): 5}
    assert folded.export(profile) == b"a:b (x\\ny.py:1);<lambda> 5\n"


@pytest.mark.parametrize("form", EXPORTERS)
def test_r39_hostile_names_keep_every_nanosecond(form: str, hostile: Profile) -> None:
    row = EXPORTERS[form]
    data = export(form, hostile if "profile" in row.takes else record_of(hostile))
    assert TOTALS[form](data) == sum(hostile.values())
    if row.content_type.startswith("text/"):
        shown = data.decode()
        assert not any(letter in shown for letter in "\x00\u202e\u2028")
    if row.content_type == "application/json":
        json.loads(data.decode())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=30))
def test_spans_at_the_same_time_lie_on_tracks_of_their_own(times: list[tuple[int, int]]) -> None:
    record = Record(1, "web", "GET /", 0, 10**10)
    record.spans = [SpanRecord(None, "db", "q", at, ns, ns, None, None, None, False) for at, ns in times]
    tracks = defaultdict(list)
    for event in json.loads(export("chrome", record))["traceEvents"]:
        if event["ph"] == "X":
            start = round(event["ts"] * 1000)
            tracks[event["tid"]].append((start, -(start + round(event["dur"] * 1000))))
    for track in tracks.values():
        ends: list[int] = []
        for start, end in sorted(track):
            while ends and ends[-1] <= start:
                ends.pop()
            assert not ends or -end <= ends[-1]
            ends.append(-end)
    assert sum(map(len, tracks.values())) == len(times) + 1


class Kept:
    """A subject with what it is given."""

    def __init__(self, prefers: str, **sources: object) -> None:
        self.prefers = prefers
        for name in ("profile", "callgraph", "record"):
            setattr(self, name, lambda name=name: sources.get(name))


def test_the_source_is_chosen_and_said(profile: Profile, callgraph: Callgraph) -> None:
    both = Kept("callgraph", profile=profile, callgraph=callgraph)
    assert write("pstats", both) == export("pstats", callgraph)
    assert write("pstats", both, "profile") == export("pstats", profile)
    assert write("pstats", Kept("profile", profile=profile, callgraph=callgraph)) == export("pstats", profile)
    assert write("pstats", Kept("callgraph", profile=profile)) == export("pstats", profile)
    for form, source, words in (
        ("nope", "", "speedscope"),
        ("pprof", "callgraph", "pprof is written from profile"),
        ("chrome", "", "one transaction"),
    ):
        with pytest.raises(QuestionError, match=words):
            write(form, both, source)
