"""Rules of users are read or refused with words, and none may take long on a hostile text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apm_agent.config import load
from apm_agent.errors import ConfigError
from apm_agent.model.scrub import Scrubber
from apm_agent.model.scrub_rules import LONGEST, read, split


def test_a_text_with_commas_may_hold_patterns_with_commas() -> None:
    told = r"patient, /P-[0-9]{1,6}/ ,/a\/b,c/,ward"
    assert split(told) == ("patient", "/P-[0-9]{1,6}/", r"/a\/b,c/", "ward")
    assert load({}, {"APM_AGENT_SCRUB": told}).scrub == split(told)
    assert read((r"/a\/b/",)).patterns == (re.compile("a/b"),)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (
            "/(/",
            r"argument scrub is .*patterns that Python's re understands, and of /\(/ it says: missing \)",
        ),
        ("/open", r"patterns between two slashes, and /?'?/open"),
        ("//", "between two slashes"),
        ("/x*/", "matches the empty text"),
        ("/(?:)/", "matches the empty text"),
        ("a", "words of two letters or more, and 'a' is none"),
        ("--", "words of two letters"),
        ("x" * 600, "at most 500 characters"),
        ("/(a+)+b/", "over a billion ways from one place, more than 4,000: write repeats with a bound"),
        ("/(a|bc)*d/", r"and \[ab\] for \(a\|b\)"),
        ("/(a|a)+b/", "over a billion"),
        ("/a+a+b/", "491,401 ways|490,000 ways"),
        ("/.*x.*y/", "ways from one place"),
        (r"/(\w+\s?)*:/", "ways from one place"),
        ("/(?=(a*)*b)a/", "ways from one place"),
        ("/(?:a{1,50}){1,50}b/", "ways from one place"),
    ],
)
def test_r41_bad_rules_stop_the_start_with_the_rule_and_the_cure(rule: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load({"scrub": [rule]}, {})


@pytest.mark.parametrize("value", [7, [7], {"a": "b"}, None])
def test_r41_what_is_no_list_of_rules(value: object) -> None:
    with pytest.raises(ConfigError, match="words and /patterns/"):
        load({"scrub": value}, {})
    with pytest.raises(ConfigError, match="at most 100 rules"):
        load({"scrub": ["word"] * 101}, {})


@pytest.mark.parametrize(
    "name", ["shop", "shop:", ":scrub", "shop.:scrub", "shop:scrub()", "shop privacy:scrub", 7]
)
def test_r41_names_of_functions_that_can_be_none(name: object) -> None:
    with pytest.raises(ConfigError, match=r"scrub_function is .*must be"):
        load({"scrub_function": name}, {})


@pytest.mark.parametrize(
    "rule",
    [
        r"/\bP-[0-9]{6}\b/", r"/(?i)patient-\d+/", r"/(?:\d{4}[ -]){3}\d{4}/", r"/[A-Z]{2}\d{2}[A-Z0-9]{11,30}/",
        r"/(?<=ward )\d{1,4}/", r"/\+49[ \d]{6,20}/", "/colou?r|grau|grey/",
    ],
)  # fmt: skip
def test_patterns_that_people_write_are_taken(rule: str) -> None:
    assert read((rule,)).patterns


@settings(deadline=None)  # it is the machine that would be timed
@given(
    st.from_regex(r"(?:[ab.]|\[ab\]|\([ab]\|b\)|\(a[+*]?\)|[ab]{1,3}x)(?:[+*?]|\{1,9\})?", fullmatch=True),
    st.data(),
)
def test_r32_a_pattern_that_is_taken_ends_on_any_text(pattern: str, data: st.DataObject) -> None:
    try:
        rules = read((f"/{pattern}{pattern}c/",))
    except ValueError:
        return
    unit = data.draw(st.sampled_from(["a", "ab", "b", "abx", "aab"]))
    kept = Scrubber(rules).text(unit * LONGEST)
    assert len(kept) <= 500
