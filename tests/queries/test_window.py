"""Windows: what is read is covered once, what makes no sense is refused with words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apm_agent.errors import QuestionError
from apm_agent.queries.window import PROFILES, RANGES, ROLLUPS, Window, cover, of_range, parse

NOW = 1_789_978_823.4
MOMENTS = st.integers(1_600_000_000, 1_900_000_000)


@given(MOMENTS, st.integers(1, 10 * 86400), st.sampled_from([ROLLUPS, PROFILES]))
def test_pieces_cover_each_moment_once(start: int, length: int, levels: tuple[int, ...]) -> None:
    pieces = sorted(cover(start, start + length, levels), key=lambda piece: piece[1])
    at = start // levels[0] * levels[0]
    for resolution, low, high in pieces:
        assert low == at < high
        assert low % resolution == high % resolution == 0
        at = high
    assert at == math.ceil((start + length) / levels[0]) * levels[0]


@pytest.mark.parametrize("name", RANGES)
def test_ranges_end_now_and_are_as_long_as_they_say(name: str) -> None:
    window = of_range(name, NOW)
    assert window.end == NOW
    assert 0 <= window.seconds - RANGES[name] < 3600
    assert window.previous().end == window.start
    assert abs(window.previous().seconds - window.seconds) < 3600
    low, high = min(piece[1] for piece in window.pieces()), max(piece[2] for piece in window.pieces())
    assert low == window.start
    assert high > NOW


def test_times_as_numbers_and_as_iso() -> None:
    assert parse({"from": "1789970000", "to": "1789971000.5"}, NOW) == Window(
        1_789_969_980, 1_789_971_000.5, None, False
    )
    assert parse({"from": "2026-09-21T06:00:00Z", "to": "2026-09-21T07:00:00+00:00"}, NOW).seconds == 3600
    assert parse({"from": "2026-09-21T06:00:00"}, NOW).open
    assert parse({}, NOW).range == "1h"


def test_old_windows_begin_at_what_is_still_kept() -> None:
    ten_days = parse({"from": str(NOW - 10 * 86400), "to": str(NOW - 9.5 * 86400)}, NOW)
    assert ten_days.start % 3600 == ten_days.end % 3600 == 0
    long_ago = parse({"from": str(NOW - 200 * 86400), "to": str(NOW - 190.5 * 86400)}, NOW)
    assert long_ago.start % 86400 == long_ago.end % 86400 == 0


@pytest.mark.parametrize(
    "given",
    [
        {"range": "9x"}, {"range": "1H"}, {"range": "1h", "from": "1789970000"}, {"to": "1789970000"},
        {"from": "nan"}, {"from": "inf"}, {"from": "-1"}, {"from": "1e400"}, {"from": "9" * 400},
        {"from": "1_789_970_000"},
        {"from": "1789970000", "to": "1789970000"}, {"from": "1789970000", "to": "1689970000"},
        {"from": "yesterday"}, {"from": "0"}, {"from": "1589970000", "to": "1789970000"}, {"from": "\x00"},
        {"from": "२०२६"}, {"from": "9999-12-31T23:59:59"}, {"from": "1789970000; DROP TABLE rollups"},
    ],
)  # fmt: skip
def test_r39_senseless_windows_are_refused_by_name(given: dict[str, str]) -> None:
    with pytest.raises(QuestionError, match=r"range=|from=|to="):
        parse(given, NOW)


@given(st.text(), st.text(), st.text())
def test_r39_any_text_is_a_window_or_is_refused(span: str, start: str, end: str) -> None:
    for asked in ({"range": span}, {"from": start, "to": end}, {"from": start}):
        try:
            assert parse(asked, NOW).seconds > 0
        except QuestionError:
            pass
