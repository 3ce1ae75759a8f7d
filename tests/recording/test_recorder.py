"""The recorder never waits, never grows, and counts what it leaves out."""

from __future__ import annotations

import threading

from apm_agent.model.span import Span
from apm_agent.model.transaction import Transaction
from apm_agent.recording.recorder import BATCH, Recorder


def transaction(name: str = "GET /", path: str | None = "/", spans: int = 0) -> Transaction:
    made = Transaction("web", name, 1)
    made.path = path
    made.spans = [Span(made, None, "code", "work", 1) for _ in range(spans)]
    return made


def test_a_full_queue_drops_the_oldest_and_counts_it() -> None:
    recorder = Recorder(max_queue=3)
    made = [transaction(spans=2) for _ in range(5)]
    for each in made:
        recorder(each)
    assert list(recorder.queue) == made[2:]
    assert recorder.stats() == {"queued": 3, "recorded": 5, "dropped": 2, "ignored": 0}
    assert made[0].spans == []  # let go of: the pair would else wait for the garbage collector
    assert recorder.take() is made[2]
    assert recorder.dropped == 2


def test_long_transactions_fill_it_sooner() -> None:
    recorder = Recorder(max_queue=10_000)
    for _ in range(400):
        recorder(transaction(spans=2_000))
    assert recorder.stats()["queued"] <= 251
    assert recorder.dropped >= 149
    while recorder.take() is not None:
        pass
    recorder(transaction())
    assert len(recorder.queue) == 1


def test_names_and_path_prefixes_are_ignored() -> None:
    recorder = Recorder(ignore=("GET /metrics", "/health"))
    for each in (
        transaction("GET /metrics", "/metrics"),
        transaction("GET /health", "/health/live"),
        transaction("GET /orders", "/orders/health"),
        transaction("nightly", None),
    ):
        recorder(each)
    assert [each.name for each in recorder.queue] == ["GET /orders", "nightly"]
    assert recorder.stats() == {"queued": 2, "recorded": 2, "dropped": 0, "ignored": 2}


def test_it_wakes_the_writer_when_asleep_and_when_a_batch_waits() -> None:
    recorder = Recorder()
    woken: list[int] = []

    def wake() -> None:
        recorder.asleep = False
        woken.append(len(recorder.queue))

    recorder.wake = wake
    for _ in range(BATCH + 10):
        recorder(transaction())
    assert woken == [1, BATCH]


def test_counters_are_exact_under_many_threads() -> None:
    recorder = Recorder(max_queue=50)

    def work() -> None:
        for _ in range(5_000):
            recorder(transaction())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    taken = 0
    while any(each.is_alive() for each in threads):
        taken += recorder.take() is not None
    for each in threads:
        each.join()
    assert recorder.recorded == 40_000
    assert recorder.taken == taken
    assert recorder.dropped == 40_000 - taken - len(recorder.queue)
