"""The sampler's budget: looks as often as asked while time is saved up, then as rare as they must be."""

from __future__ import annotations

from apm_agent.profiling.allowance import Allowance

MS = 1_000_000


def run(allowance: Allowance, seconds: int, cost_ns: int) -> tuple[int, int]:
    """Looks, and the processor time they cost, in so many seconds of work."""
    now = looks = 0
    while now < seconds * 1000 * MS:
        took = allowance.interval_ns()
        now += took
        looks += 1
        allowance.looked(cost_ns)
        allowance.passes(took, cost_ns)
    return looks, looks * cost_ns


def test_cheap_looks_come_as_asked() -> None:
    assert run(Allowance(10 * MS, 0.01), 60, MS // 20)[0] == 6000


def test_dear_looks_stay_within_the_budget_and_what_was_saved() -> None:
    allowance = Allowance(10 * MS, 0.01)
    first, _ = run(allowance, 1, MS // 2)
    assert first == 100, "out of what was saved"
    _, cost = run(allowance, 600, MS // 2)
    assert cost <= (600_000 + 5_000) * MS * 0.01
    assert cost >= 600_000 * MS * 0.008, "and use most of it"


def test_over_a_long_time_they_cost_no_more_than_the_budget() -> None:
    _, cost = run(Allowance(10 * MS, 0.01), 300, MS // 2)
    assert cost <= 300_000 * MS * 0.01
    assert cost >= 300_000 * MS * 0.009


def test_idle_time_is_saved_up_to_five_seconds_of_it() -> None:
    allowance = Allowance(10 * MS, 0.01)
    run(allowance, 60, MS // 2)
    allowance.passes(3600 * 1000 * MS)
    looks, _ = run(allowance, 1, MS // 2)
    assert looks == 100
    _, cost = run(allowance, 100, MS // 2)
    assert cost <= (100_000 + 5_000) * MS * 0.01


def test_without_a_budget_once_a_second() -> None:
    assert run(Allowance(10 * MS, 0.0), 10, MS)[0] == 10
