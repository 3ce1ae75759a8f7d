"""How SQL alone reads a histogram of the rollups: which buckets it has, how many in each, and its percentiles.

The bytes of a histogram are described in `model.histogram`; SQL has no way to read a byte but to look for it among all
of them. Percentiles are those of the dashboard: read from the same histograms, by the same rule.
"""

from __future__ import annotations

from apm_agent.model.histogram import GAMMA

_BYTES = f"X'{bytes(range(256)).hex()}'"
#: What a bucket answers, over its octave's power of two: 2γ^((b+1) mod 32) / (γ+1).
_FACTORS = " ".join(f"WHEN {n} THEN {2 * 2 ** (n / 32) / (GAMMA + 1)!r}" for n in range(32))
_EDGES = " ".join(f"WHEN {n} THEN {2 ** (n / 32)!r}" for n in range(32))


def _byte(at: str) -> str:
    return f"(instr(v, substr(h, {at}, 1)) - 1)"


def _number(at: str, width: int) -> str:
    return " + ".join(f"{_byte(f'{at} + {n}')} * {256**n}" for n in range(width))


#: Bucket and count of cell i, where h is a histogram, v all bytes in order, w the first byte (the width of a count; 8:
#: dense) and n how many cells it has.
BUCKET = f"CASE w WHEN 8 THEN {_number('3', 2)} + i ELSE {_number('2 + 2 * i', 2)} END"
COUNT = (
    f"CASE w WHEN 8 THEN {_number('5 + 4 * i', 4)} WHEN 1 THEN {_byte('2 + 2 * n + i')}"
    f" WHEN 2 THEN {_number('2 + 2 * n + 2 * i', 2)} ELSE {_number('2 + 2 * n + 4 * i', 4)} END"
)


def rollups(seconds: int) -> str:
    """The rollups of a level, with h, v, w and n."""
    return (
        "(SELECT *, CASE w WHEN 8 THEN length(h) / 4 - 1 ELSE (length(h) - 1) / (2 + w) END AS n FROM (SELECT *,"
        f" histogram AS h, {_BYTES} AS v, instr({_BYTES}, substr(histogram, 1, 1)) - 1 AS w FROM rollups"
        f" WHERE resolution = {seconds}))"
    )


def percentile(share: float) -> str:
    """The bucket in which the rank lies, as `Histogram.quantile` has it; NULL for an empty histogram."""
    return f"""(WITH RECURSIVE walk (i, bucket, seen) AS (
    SELECT 0, NULL, 0 UNION ALL
    SELECT i + 1, {BUCKET}, seen + {COUNT} FROM walk
    WHERE i < n AND seen <= CAST({share} * (r.count - 1) AS INTEGER))
  SELECT (1 << ((bucket + 1) / 32)) * CASE (bucket + 1) % 32 {_FACTORS} END / 1e6
  FROM walk WHERE bucket IS NOT NULL ORDER BY i DESC LIMIT 1)"""


def edge(bucket: str) -> str:
    """The lower edge of a bucket in ms."""
    return f"(1 << (({bucket}) / 32)) * CASE ({bucket}) % 32 {_EDGES} END / 1e6"
