"""A latency histogram in base-2 logarithmic buckets: small, merged by adding, with a known error.

It is the OpenTelemetry *exponential histogram* at scale 5
(https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram), on nanoseconds. With
γ = 2^(1/32), bucket *i* holds the durations in (γ^i, γ^(i+1)] and answers 2·γ^(i+1)/(γ+1) for each of them,
so that no answer is wrong by more than (γ−1)/(γ+1) = 1.083 % of the truth. Counts are exact whole numbers and
a merge adds them, so the bound holds after any number of merges, of any sizes, in any order.

As bytes, little-endian: up to 32 buckets in use are *sparse* (width of a count in bytes: 1, 2 or 4; bucket
numbers as u16; counts), more are *dense* (the byte 8, a zero, the first bucket's number as u16, one u32 for
each bucket from there on).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from math import ceil, log2
from sys import byteorder

SCALE = 5
_PER_OCTAVE = 1 << SCALE
GAMMA: float = 2.0 ** (1 / _PER_OCTAVE)
ERROR = (GAMMA - 1) / (GAMMA + 1)
"""The largest relative error of a quantile."""

_MOST_SPARSE = 32
_DENSE = 8
_DENSE_HEAD = bytes((_DENSE,))
_HIGHEST_COUNT = 2**32 - 1
_HIGHEST_BUCKET = 63 * _PER_OCTAVE - 1
_TYPES = {1: "B", 2: "H", 4: "I"}
#: What reading bytes that are no histogram's ends in.
_DAMAGED = (IndexError, KeyError, OverflowError, TypeError, ValueError)


def bucket_of(ns: int) -> int:
    """The bucket a duration falls into; what is below 2 ns shares bucket 0."""
    if ns < 2:
        return 0
    return min(ceil(log2(ns) * _PER_OCTAVE) - 1, _HIGHEST_BUCKET)


def edge(bucket: int) -> float:
    """The lower edge of a bucket in ns, which is the upper edge of the one before."""
    return float(2.0 ** (bucket / _PER_OCTAVE))


@cache
def middle(bucket: int) -> int:
    """What a bucket answers for every duration in it, in ns."""
    return round(2 * edge(bucket + 1) / (GAMMA + 1))


class Histogram:
    """How many durations fell into each bucket.

    Small ones count in a dictionary. Dense bytes are added as one big number whose 64-bit lanes are the
    buckets: adding a few hundred counts is then one addition. To read one changes nothing that others read.
    """

    __slots__ = ("_buckets", "_lanes", "_ranked")

    def __init__(self, durations: Iterable[int] = ()) -> None:
        self._buckets: dict[int, int] = {}
        self._lanes = 0
        #: buckets and how many lie up to each, once somebody asked; nothing may be added without its going
        self._ranked: tuple[Sequence[int], list[int]] | None = None
        for duration in durations:
            self.add(duration)

    def add(self, ns: int, count: int = 1) -> None:
        """Count a duration."""
        self._ranked = None
        bucket = bucket_of(ns)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + count

    def fill(self, counts: dict[int, int]) -> None:
        """Add counts by bucket number."""
        self._ranked = None
        buckets = self._buckets
        if not buckets:
            self._buckets = dict(counts)
            return
        for bucket, count in counts.items():
            buckets[bucket] = buckets.get(bucket, 0) + count

    def merge(self, other: Histogram) -> None:
        """Add all that another one counted."""
        self._lanes += other._lanes
        self.fill(other._buckets)

    def merge_bytes(self, data: bytes) -> None:
        """Add what `to_bytes` wrote; bytes that a disk or a hand has damaged count nothing."""
        try:
            if data:
                self._merge(data)
        except _DAMAGED:
            pass

    def _merge(self, data: bytes) -> None:
        self._ranked = None
        width = data[0]
        if width == _DENSE:
            first = data[2] | data[3] << 8
            wide = array("Q", _read("I", data[4:]))
            if first + len(wide) > _HIGHEST_BUCKET + 1:
                raise ValueError
            self._lanes += int.from_bytes(_little(wide), "little") << (64 * first)
            return
        used = (len(data) - 1) // (2 + width)
        numbers, counts = _read("H", data[1 : 1 + 2 * used]), _read(_TYPES[width], data[1 + 2 * used :])
        if len(numbers) != len(counts) or max(numbers) > _HIGHEST_BUCKET:
            raise ValueError
        for bucket, count in zip(numbers, counts, strict=True):
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count

    @classmethod
    def from_bytes(cls, data: bytes) -> Histogram:
        """The histogram that `to_bytes` wrote."""
        made = cls()
        made.merge_bytes(data)
        return made

    def to_bytes(self) -> bytes:
        """As bytes; a count past 2^32−1 stays there."""
        counts = self.counts
        if not counts:
            return b""
        if len(counts) <= _MOST_SPARSE:
            return _sparse(counts)
        return _dense(counts)

    @property
    def counts(self) -> dict[int, int]:
        """Count by bucket number, ascending; only buckets in use."""
        if not self._lanes:
            return dict(sorted(self._buckets.items()))
        first, line = self._line()
        return {bucket: count for bucket, count in enumerate(line, first) if count}

    def settle(self) -> Histogram:
        """This one, in the form that is added to others in the shortest time; what many read is settled once."""
        if self._buckets and (self._lanes or len(self._buckets) > _MOST_SPARSE):
            first, line = self._line()
            self._lanes = int.from_bytes(_little(line), "little") << 64 * first
            self._buckets = {}
        return self

    def _line(self) -> tuple[int, array[int]]:
        """The first bucket in use, and the counts from there on; of one that is not empty."""
        buckets, line = self._buckets, array("Q")
        first = low = min(buckets, default=_HIGHEST_BUCKET)
        if self._lanes:
            first = ((self._lanes & -self._lanes).bit_length() - 1) // 64
            lanes = self._lanes >> 64 * first
            line = _read("Q", lanes.to_bytes((lanes.bit_length() + 63) // 64 * 8, "little"))
        if low < first:
            first, line = low, array("Q", bytes(8 * (first - low))) + line
        line.frombytes(bytes(8 * max(0, max(buckets, default=0) + 1 - first - len(line))))
        for bucket, count in buckets.items():
            line[bucket - first] += count
        return first, line

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.counts.values())

    def quantile(self, q: float) -> int | None:
        """The duration in ns below which the share `q` lies, within `ERROR`; None for an empty histogram."""
        return self.quantiles((q,))[0]

    def quantiles(self, shares: Iterable[float]) -> list[int | None]:
        """`quantile` of each share, reading the buckets once."""
        if self._ranked is None:
            self._ranked = self._rank()
        buckets, seen = self._ranked
        if not seen or not seen[-1]:
            return [None for _ in shares]
        last = len(seen) - 1  # the answer when q is above 1
        ranks = (int(q * (seen[-1] - 1)) for q in shares)
        return [middle(buckets[min(last, bisect_right(seen, rank))]) for rank in ranks]

    def _rank(self) -> tuple[Sequence[int], list[int]]:
        if self._lanes:
            first, line = self._line()
            return range(first, first + len(line)), list(accumulate(line))
        buckets = sorted(self._buckets)
        return buckets, list(accumulate(map(self._buckets.__getitem__, buckets)))

    def share_below(self, ns: int) -> float | None:
        """The share of durations in lower buckets than this duration's; None when nothing was counted."""
        counts = self.counts
        total = sum(counts.values())
        if not total:
            return None
        bucket = bucket_of(ns)
        return sum(count for number, count in counts.items() if number < bucket) / total


def merge_bytes(a: bytes, b: bytes) -> bytes:
    """Two histograms' bytes added: the SQL function ``histogram_merge``.

    Were it to fail for what is damaged, nothing of that minute, hour or day could be written any more.
    """
    try:
        return _merged(a, b)
    except _DAMAGED:
        whole = Histogram.from_bytes(a)
        whole.merge_bytes(b)
        return whole.to_bytes()


def _merged(a: bytes, b: bytes) -> bytes:
    if a[:1] == b[:1] == _DENSE_HEAD:
        return _merge_dense(a, b)
    if b[:1] == _DENSE_HEAD:
        a, b = b, a
    if a[:1] == _DENSE_HEAD:
        # The common case of a running hour or day: a few counts into many, without reading the many.
        return _merge_dense(a, _dense(Histogram.from_bytes(b).counts)) if b else a
    merged = Histogram.from_bytes(a)
    merged.merge_bytes(b)
    return merged.to_bytes()


def _merge_dense(a: bytes, b: bytes) -> bytes:
    if max(_read("I", a[4:])) + max(_read("I", b[4:])) > _HIGHEST_COUNT:  # a lane must not run over
        merged = Histogram.from_bytes(a)
        merged.merge_bytes(b)
        return merged.to_bytes()
    first_a, first_b = a[2] | a[3] << 8, b[2] | b[3] << 8
    first = min(first_a, first_b)
    end = max(first_a + len(a) // 4, first_b + len(b) // 4) - 1
    if end > _HIGHEST_BUCKET + 1:
        raise ValueError
    total = (int.from_bytes(a[4:], "little") << 32 * (first_a - first)) + (
        int.from_bytes(b[4:], "little") << 32 * (first_b - first)
    )
    return bytes((_DENSE, 0, first & 255, first >> 8)) + total.to_bytes(4 * (end - first), "little")


def _dense(counts: dict[int, int]) -> bytes:
    first, last = min(counts), max(counts)
    lanes = array("I", bytes(4 * (last - first + 1)))
    for bucket, count in counts.items():
        lanes[bucket - first] = min(count, _HIGHEST_COUNT)
    return bytes((_DENSE, 0, first & 255, first >> 8)) + _little(lanes)


def _sparse(counts: dict[int, int]) -> bytes:
    highest = min(max(counts.values()), _HIGHEST_COUNT)
    width = 1 if highest < 2**8 else 2 if highest < 2**16 else 4
    values = array(_TYPES[width], [min(count, _HIGHEST_COUNT) for count in counts.values()])
    return bytes((width,)) + _little(array("H", counts)) + _little(values)


def _read(kind: str, data: bytes) -> array[int]:
    values = array(kind, data)
    if byteorder == "big":
        values.byteswap()
    return values


def _little(values: array[int]) -> bytes:
    if byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()
