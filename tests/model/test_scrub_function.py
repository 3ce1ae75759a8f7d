"""The function of a user has the last word on each value, on the writer's thread; where it fails, values are masked."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import apm_agent
from apm_agent.errors import contained
from apm_agent.model.scrub import MASK
from evidence import asking

CALLS: list[tuple[str, Any, str]] = []


class Stubborn:
    def __str__(self) -> str:
        raise RuntimeError


def keep(key: str, value: Any) -> Any:
    CALLS.append((key, value, threading.current_thread().name))
    return {"name": "A.", "odd": Stubborn(), "long": "x" * 9000, "id": 10**400}.get(key, value)


def fail(key: str, value: Any) -> Any:
    raise KeyError(value)


def leave(key: str, value: Any) -> Any:
    raise SystemExit(value)


NOT_A_FUNCTION = 7
Work = Callable[[str], dict[str, Any]]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """Installs with a function, does some work, and gives the trace that is kept of it."""
    contained.seen.clear()
    CALLS.clear()

    def run(function: str) -> dict[str, Any]:
        store = f"sqlite:///{tmp_path}/apm.db"
        apm_agent.install(
            store=store, sampler=False, memory=False, slow=0, scrub_function=function, scrub=["ward"]
        )

        @apm_agent.background_transaction("job")
        def job() -> None:
            apm_agent.add_context(name="Ann", odd=1, long=2, id=3, ward=4, user={"password": "x", "n": 5})
            with apm_agent.span("work", rows=7):
                logging.getLogger("scrubbing").warning("line of Ann")
            raise LookupError("no price for 'Ann'")

        with ThreadPoolExecutor(1, "request") as pool, pytest.raises(LookupError):
            pool.submit(job).result()
        assert apm_agent.flush(10)
        with asking(store) as ask:
            [row] = json.loads(ask("traces?range=15m"))["traces"]
            found: dict[str, Any] = json.loads(ask(f"trace?id={row['id']}"))
            found["health"] = ask("health")
        return found

    yield run
    apm_agent.uninstall()
    contained.seen.clear()


def test_it_has_the_last_word_on_each_value_and_never_on_the_request_thread(work: Work) -> None:
    found = work(f"{__name__}:keep")
    assert found["trace"]["context"] == {
        "name": "A.", "odd": "<Stubborn>", "long": "x" * 500, "id": "<int>",
        "ward": MASK, "user.password": MASK, "user.n": 5,
    }  # fmt: skip
    assert {key for key, _, _ in CALLS} == {
        "name", "odd", "long", "id", "ward", "password", "n", "rows", "message", "log"
    }  # fmt: skip
    assert ("password", MASK) in {(key, value) for key, value, _ in CALLS}, (
        "it never sees what the rules took out"
    )
    assert not any(thread.startswith("request") for _, _, thread in CALLS)


@pytest.mark.parametrize(
    "name",
    [f"{__name__}:fail", f"{__name__}:leave", f"{__name__}:NOT_A_FUNCTION", f"{__name__}:gone", "no_such:it"],
)
def test_r32_where_it_fails_values_are_masked_and_it_is_said_once(
    work: Work, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = work(name)
    assert set(found["trace"]["context"].values()) == {MASK}
    assert found["trace"]["error"]["message"] == MASK
    assert "Ann" not in json.dumps(found)
    said = [record for record in caplog.records if record.name == "apm_agent"]
    assert len(said) == 1
    assert "asking scrub_function" in said[0].getMessage()
    assert "Ann" not in caplog.text.replace("line of Ann", "")
    [(what, error)] = contained.seen
    assert what == "asking scrub_function"
    assert "values are masked instead" in error
