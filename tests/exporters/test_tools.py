"""Each file is opened by the tool it was written for, which reads the same totals out of it."""

from __future__ import annotations

import json
import os
import pstats
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from apm_agent.exporters import callgrind, dot, firefox, folded, pprof
from apm_agent.exporters import pstats as ours
from apm_agent.model.callgraph import Callgraph
from apm_agent.model.profile import Profile
from servers import Program, free_port, running

pytestmark = pytest.mark.tools

Tool = Callable[[str], str]
Opened = Callable[..., str]


@pytest.fixture
def files(
    tmp_path: Path, profile: Profile, hostile: Profile, callgraph: Callgraph
) -> Callable[..., list[Path]]:
    """The profiles, and the callgraph, as files of an exporter."""

    def write(export: Callable[..., bytes], measured: bool = False) -> list[Path]:
        sources = {"profile": profile, "hostile": hostile} | ({"measured": callgraph} if measured else {})
        made = []
        for name, source in sources.items():
            made.append(tmp_path / name)
            made[-1].write_bytes(export(source))
        return made

    return write


@pytest.fixture
def sources(profile: Profile, hostile: Profile) -> tuple[Profile, Profile]:
    """What the first two files hold."""
    return profile, hostile


def total(source: Profile | Callgraph) -> int:
    if isinstance(source, Callgraph):
        return sum(call.own_ns for call in source.functions.values())
    return sum(source.values())


def test_pstats_reads_callers_and_callees(files: Callable[..., list[Path]], callgraph: Callgraph) -> None:
    sampled, hostile, measured = (pstats.Stats(str(path)) for path in files(ours.export, True))
    assert round(measured.total_tt * 1e9) == total(callgraph)  # type: ignore[attr-defined]
    assert (measured.total_calls, measured.prim_calls) == (24, 17)  # type: ignore[attr-defined]
    walk = ("/srv/shop.py", 20, "walk")
    assert measured.stats[walk][4][walk] == (7, 0, 0.3, 0.6)  # type: ignore[attr-defined]
    assert sampled.total_calls == hostile.total_calls == 0  # type: ignore[attr-defined]
    assert any("calls are not known" in name for _, _, name in sampled.stats)  # type: ignore[attr-defined]


def test_snakeviz_serves_it(files: Callable[..., list[Path]], tool: Tool) -> None:
    sampled, _, measured = files(ours.export, True)
    port = free_port()
    command = [tool("snakeviz"), "--server", "--port", str(port), str(measured)]
    with running(command, port=port, env={**os.environ, "PYTHONWARNINGS": ""}):
        for path, wanted in ((measured, "walk"), (sampled, "calls are not known")):
            address = f"http://127.0.0.1:{port}/snakeviz/{quote(str(path), safe='')}"
            with urllib.request.urlopen(address, timeout=20) as answer:
                assert wanted in answer.read().decode()


def test_tuna_reads_it(files: Callable[..., list[Path]], opened: Opened) -> None:
    script = "import json, sys; from tuna.main import read; print(json.dumps(read(sys.argv[1])))"
    for path in files(ours.export, True):
        json.loads(opened(sys.executable, "-W", "ignore", "-c", script, path))


def test_gprof2dot_draws_it(files: Callable[..., list[Path]], tool: Tool, opened: Opened) -> None:
    for path in files(ours.export, True):
        drawn = opened(tool("gprof2dot"), "-f", "pstats", path)
        assert drawn.count(" -> ") or path.name == "hostile"
    assert "shop:20:walk" in drawn
    assert "9×" in drawn


def test_callgrind_annotate_adds_up_to_the_same(
    files: Callable[..., list[Path]], tool: Tool, opened: Opened, callgraph: Callgraph, profile: Profile
) -> None:
    sampled, hostile, measured = files(callgrind.export, True)
    command = (tool("callgrind_annotate"), "--auto=no", "--threshold=100")
    for path, source in ((sampled, profile), (measured, callgraph)):
        said = opened(*command, path)
        assert f"{total(source):,} (100.0%)  PROGRAM TOTALS" in said
        functions = said.split("file:function")[1]
        own = [int(number.replace(",", "")) for number in re.findall(r"(?m)^ *([0-9,]+) \(", functions)]
        assert sum(own) == total(source)
    tree = opened(*command, "--tree=calling", measured)
    assert re.search(r"899,000,009 .*>   /srv/shop.py:walk \(2x\)", tree)
    assert "PROGRAM TOTALS" in opened(*command, hostile)


def test_flamegraph_draws_every_line(
    files: Callable[..., list[Path]], tool: Tool, opened: Opened, profile: Profile
) -> None:
    for path in files(folded.export):
        svg = opened("perl", tool("flamegraph.pl"), "--countname=ns", "--minwidth=0", path)
        titles = [
            title.text or "" for title in ElementTree.fromstring(svg).iter() if title.tag.endswith("title")
        ]
        whole = f"{total(profile):,}" if path.name == "profile" else ""
        assert any(whole in title for title in titles)
        assert len(titles) > 5


def test_pprof_lists_the_functions(
    files: Callable[..., list[Path]],
    tool: Tool,
    opened: Opened,
    sources: tuple[Profile, Profile],
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}
    for path, source in zip(files(pprof.export), sources, strict=True):
        raw = opened(tool("go"), "tool", "pprof", "-raw", path, env=environment)
        samples = raw.split("Samples:")[1].split("Locations")[0]
        assert "wall/nanoseconds[dflt]" in samples
        assert sum(map(int, re.findall(r"(?m)^ *([0-9]+):", samples))) == total(source)
    top = opened(tool("go"), "tool", "pprof", "-top", "-unit=ns", tmp_path / "profile", env=environment)
    assert re.search(r"77777777777ns .* 78791111111ns +100% +view\n", top)


def test_graphviz_draws_it(files: Callable[..., list[Path]], tool: Tool, opened: Opened) -> None:
    for path in files(dot.export, True):
        svg = ElementTree.fromstring(opened(tool("dot"), "-Tsvg", path))
        groups = [each.get("class") for each in svg.iter() if each.get("class")]
        assert groups.count("node") > 3
        text = "".join(svg.itertext())
        assert ("calls are not known" in text) == (path.name != "measured")
    assert groups.count("edge") >= 2


def test_firefox_profiler_reads_it(
    files: Callable[..., list[Path]],
    tool: Tool,
    opened: Opened,
    sources: tuple[Profile, Profile],
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    command = [tool("node"), tool("pq")]

    def ask(*words: str) -> str:
        return opened(*command, *words, env=environment)

    def wait_until_it_answers(daemon: Program) -> None:
        deadline = time.monotonic() + 60
        while subprocess.run(
            [*command, "status"], env=environment, capture_output=True, check=False
        ).returncode:
            assert daemon.process.poll() is None, daemon.output
            assert time.monotonic() < deadline, daemon.output

    for path, source in zip(files(firefox.export), sources, strict=True):
        loaded = path.rename(path.with_suffix(".json"))
        # Its daemon in the foreground: `load` gives up when the daemon takes over half a second to start.
        with running([*command, "--daemon", str(loaded), "--session", path.name], env=environment) as daemon:
            wait_until_it_answers(daemon)
            tree = json.loads(ask("thread", "samples-top-down", "--json"))
            functions = json.loads(ask("thread", "functions", "--json"))["functions"]
        assert round(tree["regularCallTree"]["totalSamples"] * 1e6) == total(source)
        assert sum(round(each["selfSamples"] * 1e6) for each in functions) == total(source)
