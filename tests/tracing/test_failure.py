"""What is kept of an exception: where it came from, and nothing that holds on to it."""

from __future__ import annotations

import json

from apm_agent.tracing.failure import describe


def deep(left: int) -> object:
    return json.loads("{") if left == 0 else deep(left - 1)


def described(depth: int) -> tuple[list[str], str, int]:
    try:
        deep(depth)
    except ValueError as error:
        failure = describe(error)
    assert failure.place is not None
    names = [code.co_name for code, _ in failure.stack]
    return names, failure.place[0].co_name, failure.place[1]


def test_the_stack_is_kept_outermost_first_and_the_own_line_apart() -> None:
    names, own, _ = described(2)
    assert names == ["described", "deep", "deep", "deep", "loads", "decode", "raw_decode"]
    assert own == "deep"


def test_of_a_deep_stack_the_innermost_part_is_kept() -> None:
    names, own, _ = described(200)
    assert len(names) == 60
    assert names[-4:] == ["deep", "loads", "decode", "raw_decode"]
    assert own == "deep"


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    failure = describe(KeyError("a"))
    assert (failure.type, failure.place, failure.stack) == ("KeyError", None, ())
