"""structlog: events carry the id, alone and in front of logging."""

from __future__ import annotations

import logging
from typing import Any

import structlog

import apm_agent
from logs_kept import Kept, failing


def said(logger: Any) -> None:
    failing("job", lambda: logger.warning("order failed", user="bob", password="hunter2"))


def test_events_carry_the_id_and_are_kept_without_their_values(kept: Kept) -> None:
    events: list[dict[str, Any]] = []

    def collect(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        events.append(dict(event))
        raise structlog.DropEvent

    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[collect])
    logger.warning("outside")
    said(logger)
    found = kept.trace("job")
    assert events == [
        {"event": "outside"},
        {
            "event": "order failed", "user": "bob", "password": "hunter2",
            "transaction_id": found["trace"]["id"],
        },
    ]  # fmt: skip
    assert [(line["level"], line["text"]) for line in found["log"]] == [("warning", "order failed")]


def test_what_the_application_binds_wins(kept: Kept) -> None:
    seen: list[Any] = []
    collect = lambda logger, method, event: seen.append(event["transaction_id"]) or event["event"]  # noqa: E731
    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[collect])
    with apm_agent.background_transaction("job"):
        logger.info("x", transaction_id="mine")
    assert seen == ["mine"]


def test_in_front_of_logging_a_line_is_kept_once(kept: Kept) -> None:
    logger = structlog.wrap_logger(
        logging.getLogger("till"),
        processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    said(logger)
    lines = kept.trace("job")["log"]
    assert len(lines) == 1
    assert "hunter2" not in lines[0]["text"]
