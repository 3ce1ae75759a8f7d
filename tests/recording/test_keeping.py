"""What matters is kept, the rest by one chance each; neither without bound."""

from __future__ import annotations

from random import Random

from apm_agent.model.record import FailureRecord
from apm_agent.recording.keeping import Keeper
from records import record

MS, SECOND = 10**6, 10**9


class Traffic:
    """Records that come one after another."""

    def __init__(self, slow_ns: int = 500 * MS, max_details: int = 20) -> None:
        self.keeper = Keeper(slow_ns, max_details)
        self.random = Random(5)
        self.now = 1_000 * SECOND

    def comes(self, name: str = "GET /", ms: float = 5, after_ms: float = 1, **fields: object) -> object:
        self.now += int(after_ms * MS)
        fields = {"insights": [], "kept": None, **fields}
        made = record(name, duration_ns=int(ms * MS), **fields)
        made.slow = self.keeper.is_slow(made, self.now)
        self.keeper.decide(made, self.random.getrandbits(21), self.now)
        return made


def test_the_first_of_an_endpoint_is_kept() -> None:
    traffic = Traffic(max_details=1)
    assert traffic.comes("GET /a").kept == "first"
    assert traffic.comes("GET /b").kept == "first"
    assert traffic.comes("GET /a").kept in (None, "uniform")


def test_failed_slow_and_insight_are_kept_and_say_so() -> None:
    traffic = Traffic()
    traffic.comes()
    assert traffic.comes(failure=FailureRecord("ValueError", "", None)).kept == "failed"
    assert traffic.comes(status=503).kept == "failed"
    slow = traffic.comes(ms=700)
    assert (slow.kept, slow.slow, slow.share) == ("slow", True, 1.0)
    assert traffic.comes(insights=record().insights).kept == "insight"


def test_slow_for_its_endpoint_once_enough_were_seen() -> None:
    traffic = Traffic()
    for n in range(200):
        traffic.comes("GET /quick", ms=1 + n % 10, after_ms=100)
    assert traffic.comes("GET /quick", ms=60, after_ms=100).kept == "slow"
    assert not traffic.comes("GET /quick", ms=5, after_ms=100).slow
    traffic.comes("GET /new", ms=1)
    assert not traffic.comes("GET /new", ms=60).slow


def test_slow_is_what_the_last_hour_makes_it() -> None:
    traffic = Traffic()
    for _ in range(300):
        traffic.comes("GET /was-slow", ms=100, after_ms=1_000)
    assert not traffic.comes("GET /was-slow", ms=60, after_ms=100).slow
    for _ in range(130):  # over an hour and more: what was before is forgotten
        traffic.comes("GET /was-slow", ms=5, after_ms=30_000)
    assert traffic.comes("GET /was-slow", ms=60, after_ms=100).kept == "slow"
    # Hours later nothing is known of it any more.
    assert not traffic.comes("GET /was-slow", ms=60, after_ms=3 * 3600 * 1000).slow


def test_slow_is_above_the_exact_p95_within_the_error_of_a_histogram() -> None:
    traffic = Traffic()
    seen = [traffic.random.lognormvariate(2, 0.5) for _ in range(4_000)]
    for ms in seen:
        traffic.comes("GET /", ms=ms, after_ms=500)
    exact = sorted(seen)[int(0.95 * (len(seen) - 1))]
    # The last quarters only, and learnt up to 6 % of them ago: of one distribution that is little.
    assert traffic.comes(ms=exact * 1.1).slow
    assert not traffic.comes(ms=exact * 0.9).slow


def test_what_made_the_process_much_larger_is_kept() -> None:
    traffic = Traffic(max_details=1)

    def grows(mib: float, **fields: object) -> object:
        return traffic.comes(rss_before=2**27, rss_after=2**27 + int(mib * 2**20), after_ms=2_000, **fields)

    for n in range(100):
        grows(0.004 * (n % 3))
    assert (grows(20).kept, grows(20).share) == ("memory", 1.0)
    assert grows(1).kept != "memory"  # no more than the interpreter takes at once
    assert grows(20, overlap=2).kept != "memory"  # nobody knows whose it is
    for _ in range(100):
        grows(20)
    assert grows(20).kept != "memory"  # it always does
    assert grows(20, insights=record().insights).kept == "insight"


def test_long_connections_are_not_slow() -> None:
    traffic = Traffic()
    assert not traffic.comes("WS /chat", ms=60_000, kind="websocket").slow


def test_with_little_traffic_all_is_kept() -> None:
    traffic = Traffic(max_details=20)
    made = [traffic.comes(after_ms=100) for _ in range(100)]
    assert all(each.kept for each in made)
    assert {each.share for each in made} == {1.0}


def test_with_much_traffic_a_uniform_share_is_kept_and_known() -> None:
    traffic = Traffic(max_details=20)
    made = [traffic.comes(after_ms=1) for _ in range(60_000)][10_000:]
    kept = [each for each in made if each.kept == "uniform"]
    assert 0.7 * 20 * 50 < len(kept) < 1.5 * 20 * 50
    shares = sum(each.share for each in made) / len(made)
    assert 0.5 < len(kept) / (shares * len(made)) < 1.5
    # Not the first ones of each second only.
    late = sum(1 for each in range(len(made)) if made[each].kept and each % 1000 >= 500)
    assert late > 0.25 * len(kept)


def test_a_service_that_fails_all_the_time_is_bounded() -> None:
    traffic = Traffic(max_details=10)
    made = [traffic.comes(status=500, after_ms=1) for _ in range(5_000)]
    kept = sum(1 for each in made if each.kept)
    assert kept <= 5 * 10 * 6 + 2 * 10 * 7


def test_none_is_none() -> None:
    traffic = Traffic(max_details=0)
    assert {traffic.comes(after_ms=50).kept for _ in range(50)} == {None}
