"""The pytest plugin: every run of pytest loads it where apm-agent is installed, so it imports late."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from apm_agent.testing.fixture import Apm

_MARK = "apm"
_LIMITS = ("max_queries", "no_repeated_queries")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "apm(max_queries=None, no_repeated_queries=False): no transaction of the test runs more statements than that, "
        "or one statement again and again from one line",
    )


@pytest.fixture
def apm(request: pytest.FixtureRequest) -> Iterator[Apm]:
    """The transactions of this test, recorded in memory, and assertions about them: queries, N+1, p95, memory."""
    from apm_agent.testing.fixture import Apm
    from apm_agent.testing.watch import recording

    with recording() as watch:
        yield Apm(watch, request.node.name)


@pytest.fixture
def apm_leaves_nothing() -> Iterator[None]:
    """Fail where the test leaves threads, descriptors, patches or a current transaction behind."""
    from apm_agent.testing.leaks import leaving_nothing

    try:
        with leaving_nothing():
            yield
    except AssertionError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give what is marked the fixture, where it did not ask for it."""
    mark = item.get_closest_marker(_MARK)
    if mark is None:
        return
    unknown = [name for name in mark.kwargs if name not in _LIMITS]
    if mark.args or unknown:
        given = ", ".join([*map(repr, mark.args), *unknown])
        pytest.fail(f"@pytest.mark.apm takes {' and '.join(_LIMITS)} by name, not {given}", pytrace=False)
    names: list[str] | None = getattr(item, "fixturenames", None)
    if names is not None and _MARK not in names:
        names.append(_MARK)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Judge what is marked as its test ends, so that it is the test that fails."""
    result = yield
    mark = item.get_closest_marker(_MARK)
    found = getattr(item, "funcargs", {}).get(_MARK) if mark is not None else None
    if mark is not None and found is not None:
        try:
            if mark.kwargs.get("max_queries") is not None:
                found.assert_max_queries(mark.kwargs["max_queries"])
            if mark.kwargs.get("no_repeated_queries"):
                found.assert_no_repeated_queries()
        except AssertionError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
    return result
