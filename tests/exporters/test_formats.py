"""Every format says the same profile: to the nanosecond, whatever the names."""

from __future__ import annotations

import importlib
import json
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.exporters import EXPORTERS, folded, speedscope
from apm_agent.model.profile import Frame, Profile
from apm_agent.queries.profile import Profiled, Weighed, columnar

NAMES = st.text(max_size=20)
FRAMES = st.builds(Frame, NAMES, NAMES, st.integers(0, 9), st.sampled_from(["app", "lib", "std"]))
PROFILES = st.dictionaries(st.lists(FRAMES, max_size=6).map(tuple), st.integers(0, 10**15), max_size=12)


def test_every_row_of_the_table_is_a_module_with_export() -> None:
    for name, row in EXPORTERS.items():
        assert row.ending.startswith(f".{name}")
        assert isinstance(importlib.import_module(row.module).export({}), bytes)


@settings(max_examples=50, deadline=None)
@given(PROFILES)
def test_totals_agree_to_the_nanosecond(profile: Profile) -> None:
    total = sum(profile.values())
    tree = columnar(Profiled([Weighed(stack, 0, 1, ns) for stack, ns in profile.items()], 1), 0.0)
    assert tree["total_ns"] == sum(tree["nodes"]["own_ns"]) == total
    lines = folded.export(profile).decode().split("\n")[:-1]
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == total
    assert sum(json.loads(speedscope.export(profile))["profiles"][0]["weights"]) == total


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
    assert folded.export(profile) == b"a:b (x y.py:1);<lambda> 5\n"


@pytest.mark.parametrize("module", [speedscope, folded])
def test_r39_half_a_surrogate_pair_does_not_stop_an_export(module: object) -> None:
    data = module.export({(Frame("\udc80", "\ud800", 1),): 7})  # type: ignore[attr-defined]
    assert data.decode("utf-8")
