"""What the jobs of all libraries share: tickets, waits, names, and that nothing of the application is kept alive."""

from __future__ import annotations

import functools
import gc
import logging
import weakref
from datetime import datetime, timezone
from typing import Any

import pytest

from apm_agent.integrations import jobs
from apm_agent.model.transaction import Transaction
from apm_agent.tracing import tracer as tracing
from apm_agent.tracing.current import current

SECOND = 10**9


def test_a_ticket_says_when_and_by_whom(seen: list[Transaction]) -> None:
    active = tracing.tracer
    assert active is not None
    assert jobs.read(jobs.ticket())[1] is None
    request = active.begin("web", "GET /")
    at, by = jobs.read(text := jobs.ticket())
    active.end(request)
    assert at is not None
    assert request.notes is not None
    assert by == f"{request.notes['identity']:016x}"
    assert jobs.read(jobs.ticket(text))[1] == by, "moved on by a worker, it stays whose it was"


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        b"at=1",
        "",
        "at=",
        "at=1 by=",
        "at=1 by=xyz",
        "at=1 by=" + "0" * 17,
        "at=" + "1" * 99,
        "at=\u0661",
    ],
)
def test_what_is_no_ticket_says_nothing(text: Any) -> None:
    assert jobs.read(text) == (None, None)


@pytest.mark.parametrize(
    ("enqueued", "due", "wait"),
    [
        (None, None, None),
        (90 * SECOND, None, 10 * SECOND),
        (90 * SECOND, 95 * SECOND, 5 * SECOND),
        (None, 95 * SECOND, 5 * SECOND),
        (100 * SECOND + 1, None, 0),  # the clocks of two machines
        (200 * SECOND, None, None),
        (-(10**8) * SECOND, None, None),
    ],
)
def test_a_wait_is_counted_from_when_it_could_have_run(enqueued: Any, due: Any, wait: Any) -> None:
    assert jobs.waited(enqueued, due, now=100 * SECOND) == wait


def test_times_as_libraries_keep_them() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    known = int(moment.timestamp()) * SECOND
    for text in (
        moment,
        moment.replace(tzinfo=None),
        moment.isoformat(),
        "2026-01-02T03:04:05Z",
        moment.timestamp(),
    ):
        assert jobs.wall_ns(text) == known
    for text in (None, "soon", object()):
        assert jobs.wall_ns(text) is None


class Callable:
    def __call__(self) -> None: ...


def test_names_have_no_addresses() -> None:
    assert jobs.name_of(SECOND.bit_length) == "int.bit_length"
    assert jobs.name_of(functools.partial(functools.partial(test_names_have_no_addresses))).endswith(
        "test_jobs.test_names_have_no_addresses"
    )
    assert jobs.name_of(Callable()) == f"{__name__}.Callable"


class Argument:
    pass


class Refused(Exception):
    argument: Argument


def test_r20_nothing_of_a_job_outlives_it(seen: list[Transaction]) -> None:
    from celery import Celery
    from huey import MemoryHuey

    canaries: list[weakref.ref[Any]] = []

    def broken() -> None:
        argument, error = Argument(), Refused("no")
        error.argument = argument
        canaries.extend((weakref.ref(argument), weakref.ref(error)))
        raise error

    app = Celery("canary", set_as_current=False)
    app.conf.task_always_eager = True
    logging.disable()  # pytest keeps what is logged, tracebacks and all
    try:
        assert app.task(name="broken")(broken).delay().failed()
        MemoryHuey("canary", immediate=True, results=False).task()(broken)()
    finally:
        logging.disable(logging.NOTSET)
    gc.collect()
    assert len(seen) == 2
    assert all(job.failure is not None for job in seen)
    assert [canary() for canary in canaries] == [None] * 4


def test_r18_a_job_that_raises_anything_is_over(seen: list[Transaction]) -> None:
    for error in (ValueError(), KeyboardInterrupt(), GeneratorExit()):
        run = jobs.begin("anything")
        assert run is not None
        run.end(error)
        run.end()
        assert current.get() is None
    assert [job.ended for job in seen] == [True] * 3


def test_off_there_is_no_job() -> None:
    assert tracing.tracer is None
    assert jobs.begin("anything") is None
    jobs.killed("anything", 1, None)
