"""Decides whose spans and samples are kept: those that matter, and of the rest a uniform share."""

from __future__ import annotations

from apm_agent.model.histogram import Histogram
from apm_agent.model.record import Record
from apm_agent.model.transaction import TIMED_KINDS

_SECOND = 10**9
_FEWEST_SEEN = 50
_LEARN_EACH = 25
_HALVE_AT = 2_000
#: How much more than `max_details` may be kept a second of what is slow or failed: a service that fails at
#: every request would otherwise write every one of them.
_URGENT = 5


class Keeper:
    """Sets `slow`, `kept` and `share` of records in the order they ended.

    The uniform share is drawn by the transaction's own random bits against a chance that follows the traffic,
    so that it does not prefer the beginning of each second.
    """

    def __init__(self, slow_ns: int, max_details: int) -> None:
        self._slow_ns = slow_ns
        self._rate = max_details
        self._usual: dict[tuple[str, str], _Usual] = {}
        self._urgent = _Bucket(_URGENT * max_details)
        self._notable = _Bucket(max_details)
        self._uniform = _Uniform(max_details)

    def is_slow(self, record: Record) -> bool:
        """At least the setting, or above what 95 % of its endpoint took lately, once 50 were seen."""
        if record.kind not in TIMED_KINDS:
            return False
        usual = self._usual.get((record.kind, record.name))
        above = usual is not None and usual.p95 is not None and record.duration_ns > usual.p95
        return record.duration_ns >= self._slow_ns or above

    def decide(self, record: Record, drawn: int, at_ns: int) -> None:
        """Set `kept` and `share`; `drawn` are 21 random bits, `at_ns` the monotonic time it ended."""
        key = (record.kind, record.name)
        usual = self._usual.get(key)
        first = usual is None
        if usual is None:
            usual = self._usual[key] = _Usual()
        usual.add(record.duration_ns)
        if record.captured is not None:  # somebody asked for it, and waits for it
            record.kept, record.share = "captured", 1.0
            return
        why = _why(record, first)
        # What is only slow for its endpoint, or has an insight, is many: an endpoint may have one each time.
        urgent = first or record.failed or record.duration_ns >= self._slow_ns
        if why is not None and (self._urgent if urgent else self._notable).take(at_ns):
            record.kept, record.share = why, 1.0
            return
        record.kept, record.share = self._uniform.draw(drawn, at_ns)


def _why(record: Record, first: bool) -> str | None:
    if record.failed:
        return "failed"
    if record.slow:
        return "slow"
    if first:
        return "first"
    return "insight" if record.insights else None


class _Usual:
    """The running p95 of one endpoint, the recent counting most."""

    __slots__ = ("_durations", "_seen", "p95")

    def __init__(self) -> None:
        self._durations = Histogram()
        self._seen = 0
        self.p95: int | None = None

    def add(self, duration_ns: int) -> None:
        self._durations.add(duration_ns)
        self._seen += 1
        if self._seen >= _FEWEST_SEEN and self._seen % _LEARN_EACH == 0:
            counts = self._durations.counts
            self.p95 = self._durations.quantile(0.95)
            if sum(counts.values()) > _HALVE_AT:
                faded = Histogram()
                faded.fill({bucket: count // 2 for bucket, count in counts.items() if count > 1})
                self._durations = faded


class _Bucket:
    """So many a second, and as many at once."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left = float(rate)
        self._at = 0

    def take(self, at_ns: int) -> bool:
        if at_ns > self._at:
            self._left = min(float(self._rate), self._left + (at_ns - self._at) / _SECOND * self._rate)
            self._at = at_ns
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _Uniform:
    """Each with one chance, which is `rate` a second over how many came lately."""

    __slots__ = ("_bucket", "_came", "_chance", "_from", "_rate")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._bucket = _Bucket(2 * rate)
        self._chance = 1.0 if rate else 0.0
        self._came = 0
        self._from = 0

    def draw(self, drawn: int, at_ns: int) -> tuple[str | None, float]:
        passed = at_ns - self._from
        if passed > _SECOND:
            expected = self._came * _SECOND / passed
            self._chance = min(1.0, self._rate / expected) if expected else float(self._rate > 0)
            self._from, self._came = at_ns, 0
        self._came += 1
        # More already than the last second let expect: the chance falls at once, not a second later.
        chance = min(self._chance, self._rate / self._came)
        if drawn < chance * 2**21 and self._bucket.take(at_ns):
            return "uniform", chance
        return None, chance
