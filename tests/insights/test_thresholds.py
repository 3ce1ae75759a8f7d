"""Every threshold is a setting that is read or refused with words, reaches its rule, and stands in the docs."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

import apm_agent
from apm_agent.config import load
from apm_agent.errors import ConfigError
from apm_agent.insights import INSIGHTS, rules
from apm_agent.model.threshold import DEFAULTS, Thresholds
from judging import plain, span

ROOT = Path(apm_agent.__file__).parent
DOCS = (ROOT.parent / "docs" / "insights.md").read_text()


def given(value: object) -> Thresholds:
    return Thresholds.of(load({"insight_thresholds": value}, {}).insight_thresholds)


def test_a_text_and_a_mapping_are_read_alike() -> None:
    assert given("") == given({}) == DEFAULTS
    told = given("slow_query = 30ms, repeated_query=7,gc_pause_share=0.25 , memory_growth=4MB")
    assert told == given(
        {"slow_query": 0.03, "repeated_query": 7, "gc_pause_share": "0.25", "memory_growth": 2**22}
    )
    assert (told.slow_query, told.repeated_query, told.gc_pause_share, told.memory_growth) == (
        30_000_000, 7, 0.25, 2**22,
    )  # fmt: skip
    assert told.slow_upstream == DEFAULTS.slow_upstream


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("slow_qery=1", r"slow_qery=1.*none is called 'slow_qery', but: repeated_query, .*slow_query"),
        ({7: 1}, r"none is called '7'"),
        ("slow_query", r"slow_query must be a duration in seconds, or with a unit like 10ms.*, not ''"),
        ({"slow_query": "soon"}, r"slow_query must be a duration.*, not 'soon'"),
        ("repeated_query=0", r"repeated_query must be a whole number from 1, not '0'"),
        ("repeated_query=2.5", r"repeated_query must be a whole number from 0, not '2.5'"),
        ("hot_line=2", r"hot_line must be a share from 0 to 1, not '2'"),
        ("memory_growth=lots", r"memory_growth must be a size"),
        (7, r"must be names with their thresholds, like slow_query=100ms,repeated_query=20"),
    ],
)
def test_r41_a_bad_threshold_stops_the_start(value: object, says: str) -> None:
    with pytest.raises(ConfigError, match=f"argument insight_thresholds is .*{says}"):
        load({"insight_thresholds": value}, {})


def test_what_is_set_reaches_the_rules() -> None:
    made = plain(90, spans=[span("db", 40, "SELECT orders")])

    def kinds(limits: Thresholds) -> list[str]:
        return [rule.func.__name__ for rule in rules(limits) if rule(made)]

    assert kinds(DEFAULTS) == []
    assert kinds(given("slow_query=30ms")) == ["slow_query"]


def test_each_threshold_is_read_by_a_rule() -> None:
    used: set[str] = set()
    for file in (ROOT / "insights").glob("*.py"):
        used |= {
            node.attr
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "limits"
        }
    assert used == {declared.name for declared in fields(Thresholds)}


def test_the_docs_hold_each_rule_and_each_threshold_as_declared() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", DOCS, re.MULTILINE))
    assert given({name: default.strip().strip("`") for name, default in rows.items()}) == DEFAULTS
    assert list(rows) == [declared.name for declared in fields(Thresholds)]
    says = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", DOCS, re.MULTILINE))
    assert says == {declared.name: declared.metadata["doc"] for declared in fields(Thresholds)}
    assert re.findall(r"^### `(\w+)`", DOCS, re.MULTILINE) == [rule.__name__ for rule in INSIGHTS]
