"""R25, R37: workers of a real server are killed, recycled and aborted under load; what it costs is known."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from records import rows, sums_agree
from witness import kill_workers, load, losses, serving, until

pytestmark = pytest.mark.server

KILLS = 6
#: Seconds between two writes, and what a write may take on a machine with other work.
INTERVAL, WRITE = 0.1, 1.0


def test_r37_killed_workers_lose_at_most_an_interval(tmp_path: Path) -> None:
    chance = Random(5)
    with serving(tmp_path, APM_AGENT_FLUSH_INTERVAL=str(INTERVAL)) as site:
        with load(site) as statuses:
            killed = kill_workers(site, KILLS, lambda: chance.uniform(0.05, 0.4))
            assert until(lambda: site.ask() == 200)
        survivors = set(site.workers())
    assert set(statuses) <= {200, 0}, "a connection to a killed worker breaks; nothing else may come of it"
    assert rows(site.store, "PRAGMA integrity_check") == [("ok",)]
    assert sums_agree(site.store)
    for kill in losses(site, killed):
        assert kill.over_ns <= (INTERVAL + WRITE) * 1e9, kill
    assert sum(kill.answered for kill in losses(site, killed)) > 20 * KILLS, (
        "they were to be killed under load"
    )
    kept = site.kept()
    missing = [each for each in site.served() if each.pid in survivors and (each.pid, each.path) not in kept]
    assert missing == [], "whoever was told to end wrote all it had"


def test_r25_workers_that_are_recycled_lose_nothing(tmp_path: Path) -> None:
    """Each serves ten requests and makes room for the next, as many sites have it."""
    options = ("--max-requests", "10", "--max-requests-jitter", "3")
    with serving(tmp_path, *options, APM_AGENT_FLUSH_INTERVAL="60") as site:
        with load(site) as statuses:
            assert until(lambda: len({each.pid for each in site.served()}) > 3)
        assert set(statuses) == {200}, "a worker that leaves answers what it took"
    assert {(each.pid, each.path) for each in site.served()} == site.kept()
    assert sums_agree(site.store)


def test_r25_the_request_that_a_timeout_ended_is_kept(tmp_path: Path) -> None:
    """gunicorn aborts a worker that is silent for too long: the very request one wants to know of."""
    with serving(tmp_path, "--timeout", "1", "--workers", "1") as site:
        assert site.ask("/before") == 200
        assert site.ask("/hang") in (0, 500), "as gunicorn answers it, by its version"
        assert until(lambda: site.ask("/after") == 200)
    found = dict(rows(site.store, "SELECT path, error FROM transactions"))
    assert found == {"/before": None, "/hang": "SystemExit", "/after": None}
