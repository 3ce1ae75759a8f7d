"""The file a process tells in: what is written is read again, and anything else is nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apm_agent.model import live
from apm_agent.model.live import STATES, Flight, Function, OpenSpan, Place, Told
from apm_agent.model.profile import Frame

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
WHOLE = st.integers(0, 2**62)
UNIX = st.floats(0, 4e9)
FRAMES = st.builds(Frame, TEXT, TEXT, WHOLE, TEXT, st.just(""))
PLACES = st.builds(Place, TEXT, TEXT, st.sampled_from(STATES), st.lists(FRAMES, max_size=5).map(tuple), WHOLE)
FLIGHTS = st.builds(
    Flight, TEXT, TEXT, TEXT, TEXT, TEXT, WHOLE, st.sampled_from(STATES),
    st.none() | st.builds(OpenSpan, TEXT, TEXT, WHOLE), st.lists(PLACES, max_size=3).map(tuple),
)  # fmt: skip
FUNCTIONS = st.builds(Function, TEXT, TEXT, TEXT, WHOLE, WHOLE)
TOLD = st.builds(
    Told, TEXT, TEXT, TEXT, WHOLE, UNIX, UNIX, WHOLE, WHOLE, st.lists(FLIGHTS, max_size=3).map(tuple), WHOLE,
    st.lists(FUNCTIONS, max_size=3).map(tuple),
)  # fmt: skip
SHARED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=60,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


@SHARED
@given(told=TOLD)
def test_what_is_written_is_read(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "here-1.json"
    file.write_text(live.to_text(told))
    assert live.read(str(file)) == told


@SHARED
@given(told=TOLD, key=st.sampled_from(Told._fields), value=JSON)
def test_r39_a_document_of_another_shape_is_none_or_valid(
    told: Told, key: str, value: Any, tmp_path: Path
) -> None:
    file = tmp_path / "here-1.json"
    file.write_text(json.dumps({**json.loads(live.to_text(told)), key: value}))
    found = live.read(str(file))
    if found is not None:
        json.dumps(json.loads(live.to_text(found)), allow_nan=False)


@SHARED
@given(data=st.binary(max_size=200))
def test_r39_any_other_bytes_are_none(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "here-1.json"
    file.write_bytes(data)
    assert live.read(str(file)) is None


def test_half_of_a_pair_is_shown_as_something_else(tmp_path: Path) -> None:
    told = Told("apm.db", "\ud800", "here", 1, 1.0, 1.0, 0, 0, ())
    file = tmp_path / "here-1.json"
    file.write_text(live.to_text(told))
    found = live.read(str(file))
    assert found is not None
    assert found.service == "?"


def test_what_is_no_plain_file_is_none(tmp_path: Path) -> None:
    file = tmp_path / "real.json"
    file.write_text(live.to_text(Told("apm.db", "shop", "here", 1, 1.0, 1.0, 0, 0, ())))
    (tmp_path / "link-1.json").symlink_to(file)
    assert live.read(str(tmp_path / "link-1.json")) is None
    assert live.read(str(tmp_path)) is None
    assert live.read(str(tmp_path / "nothing-1.json")) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("web-1.example.com", "web-1.example.com-7.json"),
        ("../../etc", ".._.._etc-7.json"),
        ("", "host-7.json"),
    ],
)
def test_a_host_cannot_name_another_place(host: str, name: str) -> None:
    path = live.file_of("/store/live", host, 7)
    assert path == f"/store/live/{name}"
    assert live.is_told(name)
