"""logging: every record knows its transaction, and a failed transaction its last lines."""

from __future__ import annotations

import gc
import io
import logging
import pickle
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import apm_agent
from logs_kept import Kept, failing


@pytest.fixture
def log() -> Any:
    """A logger that writes to `log.stream` in a format with the id."""
    logger = logging.getLogger("till")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("[%(transaction_id)s] %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.stream = stream  # type: ignore[attr-defined]
    yield logger
    logger.removeHandler(handler)
    logger.propagate = True


@contextmanager
def alone() -> Iterator[None]:
    """Without pytest's own handlers, which raise what logging prints, and hold each record."""
    around = [(each, list(each.handlers)) for each in (logging.getLogger("till"), logging.getLogger())]
    others = [
        (each, handler) for each, found in around for handler in found if "pytest" in type(handler).__module__
    ]
    for each, handler in others:
        each.removeHandler(handler)
    try:
        yield
    finally:
        for each, handler in others:
            each.addHandler(handler)


def test_records_carry_the_id_the_store_knows(kept: Kept, log: Any) -> None:
    log.info("outside")
    failing("job", lambda: log.info("inside %s", 7))
    found = kept.trace("job")
    assert log.stream.getvalue() == f"[] outside\n[{found['trace']['id']}] inside 7\n"


def test_the_last_lines_of_a_failed_transaction_are_kept_in_order(kept: Kept, log: Any) -> None:
    def say() -> None:
        for number in range(80):
            log.warning("line %d", number)
        log.debug("not enabled")

    failing("job", say)
    lines = kept.trace("job")["log"]
    assert [line["text"] for line in lines] == [f"line {number}" for number in range(30, 80)]
    assert {(line["level"], line["logger"]) for line in lines} == {("WARNING", "till")}
    times = [line["t_ms"] for line in lines]
    assert times == sorted(times)
    assert times[0] >= 0


def test_of_one_that_did_not_fail_nothing_is_kept(kept: Kept, log: Any) -> None:
    with apm_agent.background_transaction("fine"):
        log.error("all the same")
    assert kept.trace("fine")["log"] == []


def test_r32_secrets_are_scrubbed_and_lines_bounded(kept: Kept, log: Any) -> None:
    def say() -> None:
        log.info("login password=hunter2canary of %r", "bob-canary@example.com")
        log.info("token: %s", "eyJcanary.eyJcanary.canary1234567890")
        log.info("x" * 100_000)

    failing("job", say)
    lines = kept.trace("job")["log"]
    told = " ".join(line["text"] for line in lines)
    assert "canary" not in told
    assert "login password=[scrubbed]" in told
    assert max(len(line["text"]) for line in lines) <= 500


class Unprintable:
    def __str__(self) -> str:
        raise KeyError("no text")


@pytest.mark.parametrize("arguments", [("%d", "seven"), ("%s %s", 1), ("%s", Unprintable())])
def test_arguments_that_do_not_fit_are_loggings_own_affair(
    kept: Kept, log: Any, arguments: tuple[Any, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with alone():
        failing("job", lambda: log.info(*arguments))
    assert "--- Logging error ---" in capsys.readouterr().err
    assert [line["text"] for line in kept.trace("job")["log"]] == [arguments[0]]


def test_the_applications_own_factory_and_filters_stay(kept: Kept, log: Any) -> None:
    before = logging.getLogRecordFactory()

    def own(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.own = "own"
        return record

    logging.setLogRecordFactory(own)
    seen: list[logging.LogRecord] = []
    log.addFilter(keep := lambda record: not seen.append(record))
    try:
        failing("job", lambda: log.info("said"))
        assert logging.getLogRecordFactory() is own
    finally:
        logging.setLogRecordFactory(before)
        log.removeFilter(keep)
    [record] = seen
    assert record.own == "own"  # type: ignore[attr-defined]
    assert len(record.transaction_id) == 16  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(record)).transaction_id == record.transaction_id  # type: ignore[attr-defined]
    assert (record.funcName, record.filename) == ("<lambda>", "test_logging.py")


def test_r20_nothing_logged_is_held_once_the_transaction_ended(kept: Kept, log: Any) -> None:
    class Thing:
        pass

    things = [Thing()]
    ref = weakref.ref(things[0])
    with alone():
        failing("job", lambda: log.info("about %s", things[0]))
    things.clear()
    assert apm_agent.flush(10)
    gc.collect()
    assert ref() is None


def test_uninstalled_logging_is_as_it_was(kept: Kept) -> None:
    assert hasattr(logging.Logger.handle, "__wrapped__")
    original = logging.Logger.handle.__wrapped__
    apm_agent.uninstall()
    assert logging.Logger.handle is original
