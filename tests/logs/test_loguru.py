"""loguru: records carry the id in `extra`, beside the application's own patcher."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from loguru import logger

import apm_agent
from logs_kept import Kept, failing


@pytest.fixture
def records() -> Any:
    found: list[Any] = []
    logger.remove()
    number = logger.add(lambda message: found.append(message.record))
    yield found
    logger.remove(number)
    logger._core.patcher = None  # type: ignore[attr-defined]


def said() -> None:
    failing("job", lambda: logger.warning("order {} failed", 7))


def test_records_carry_the_id_and_the_line_is_kept(kept: Kept, records: list[Any]) -> None:
    logger.info("outside")
    said()
    found = kept.trace("job")
    assert [record["extra"] for record in records] == [{}, {"transaction_id": found["trace"]["id"]}]
    assert records[1]["file"].name == "test_loguru.py"
    assert [(line["level"], line["text"]) for line in found["log"]] == [("WARNING", "order 7 failed")]


def test_the_applications_patcher_is_called_whenever_it_is_set(kept: Kept, records: list[Any]) -> None:
    logger.configure(patcher=lambda record: record["extra"].update(own=1))
    said()
    assert set(records[0]["extra"]) == {"own", "transaction_id"}
    apm_agent.uninstall()
    with apm_agent.background_transaction("later"):
        logger.info("later")
    assert records[1]["extra"] == {"own": 1}


def test_lines_handed_on_to_it_are_kept_once(kept: Kept, records: list[Any]) -> None:
    class Intercept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logger.opt(depth=6, exception=record.exc_info).log(record.levelname, record.getMessage())

    shop = logging.getLogger("till")
    shop.addHandler(handler := Intercept())
    shop.propagate = False
    try:
        failing("job", lambda: shop.error("handed on"))
    finally:
        shop.removeHandler(handler)
        shop.propagate = True
    assert [line["text"] for line in kept.trace("job")["log"]] == ["handed on"]
