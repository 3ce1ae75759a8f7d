"""Decides whose spans and samples are kept: those that matter, and of the rest a uniform share."""

from __future__ import annotations

from apm_agent.model.histogram import Histogram
from apm_agent.model.record import Record
from apm_agent.model.transaction import TIMED_KINDS

_SECOND = 10**9
_QUARTER = 900 * _SECOND
_QUARTERS = 4
_FEWEST_SEEN = 50
_LEARN_EACH = 25
#: Bytes under which no growth is an outlier: the interpreter takes memory from the system by the MiB.
_LEAST_GROWTH = 4 * 2**20
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
        self._durations: dict[tuple[str, str], _LastHour] = {}
        self._growths: dict[tuple[str, str], _LastHour] = {}
        self._urgent = _Bucket(_URGENT * max_details)
        self._notable = _Bucket(max_details)
        self._uniform = _Uniform(max_details)

    def is_slow(self, record: Record, at_ns: int) -> bool:
        """At least the setting, or above what 95 % of its endpoint took in the last hour, once 50 were seen."""
        if record.kind not in TIMED_KINDS:
            return False
        if record.duration_ns >= self._slow_ns:
            return True
        usual = self._durations.get((record.kind, record.name))
        most = None if usual is None else usual.p95(at_ns)
        return most is not None and record.duration_ns > most

    def decide(self, record: Record, drawn: int, at_ns: int) -> None:
        """Set `kept` and `share`; `drawn` are 21 random bits, `at_ns` the monotonic time it ended."""
        key = (record.kind, record.name)
        usual = self._durations.get(key)
        first = usual is None
        if usual is None:
            usual = self._durations[key] = _LastHour()
        usual.add(record.duration_ns, at_ns)
        grew = self._grew(record, key, at_ns)
        if record.captured is not None:  # somebody asked for it, and waits for it
            record.kept, record.share = "captured", 1.0
            return
        why = _why(record, first, grew)
        # What is only slow for its endpoint, or has an insight, is many: an endpoint may have one each time.
        urgent = first or record.failed or record.duration_ns >= self._slow_ns
        if why is not None and (self._urgent if urgent else self._notable).take(at_ns):
            record.kept, record.share = why, 1.0
            return
        record.kept, record.share = self._uniform.draw(drawn, at_ns)

    def _grew(self, record: Record, key: tuple[str, str], at_ns: int) -> bool:
        """Whether it alone made the process larger by much more than 95 % of its endpoint did in the last hour."""
        kept = record.rss_kept
        if kept is None:
            return False
        usual = self._growths.get(key)
        if usual is None:
            usual = self._growths[key] = _LastHour()
        most = usual.p95(at_ns) if kept >= _LEAST_GROWTH else None
        usual.add(max(0, kept), at_ns)
        return most is not None and kept > 2 * most


def _why(record: Record, first: bool, grew: bool) -> str | None:
    if record.failed:
        return "failed"
    if record.slow:
        return "slow"
    if first:
        return "first"
    if grew:
        return "memory"
    return "insight" if record.insights else None


class _LastHour:
    """What 95 % of an endpoint's calls stayed below in the last hour: this quarter of it and the three before."""

    __slots__ = ("_before", "_due", "_now", "_p95", "_quarter", "_seen", "_seen_before")

    def __init__(self) -> None:
        self._quarter = 0
        self._now = Histogram()
        #: (which quarter, its histogram as bytes, how many): bytes, because there may be a thousand endpoints
        self._before: list[tuple[int, bytes, int]] = []
        self._seen = self._seen_before = 0
        self._due = _FEWEST_SEEN
        self._p95: int | None = None

    def add(self, value: int, at_ns: int) -> None:
        self._turn(at_ns)
        self._now.add(value)
        self._seen += 1

    def p95(self, at_ns: int) -> int | None:
        """Within the error of a histogram, and of what was seen up to the last learning; None under 50."""
        self._turn(at_ns)
        if self._seen + self._seen_before >= self._due:
            self._learn()
        return self._p95

    def _turn(self, at_ns: int) -> None:
        quarter = at_ns // _QUARTER
        if quarter <= self._quarter:
            return
        if self._seen:
            self._before.append((self._quarter, self._now.to_bytes(), self._seen))
            self._now, self._seen = Histogram(), 0
        self._before = [each for each in self._before if each[0] > quarter - _QUARTERS]
        self._seen_before = sum(each[2] for each in self._before)
        self._quarter, self._p95, self._due = quarter, None, _FEWEST_SEEN

    def _learn(self) -> None:
        whole = Histogram()
        whole.merge(self._now)
        for _, data, _ in self._before:
            whole.merge_bytes(data)
        self._p95 = whole.quantile(0.95)
        count = self._seen + self._seen_before
        # The more there are, the less a few more can move it.
        self._due = count + max(_LEARN_EACH, count // 16)


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
