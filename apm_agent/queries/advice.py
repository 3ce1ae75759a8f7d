"""What usually helps, for what is found in many transactions together."""

from __future__ import annotations

ERROR_BURST = (
    "Look at what changed when it began: a release, a setting, a service or a disk it depends on. One of the failed "
    "transactions has its last log lines."
)
TWO_SPEEDS = (
    "Compare a slow trace with a fast one: a cache that was missed, a lock or connection waited for, or arguments that "
    "ask for more work. Judge the speeds apart: a mean or a median of both describes neither."
)
REGRESSION = (
    "Compare the two (apm-agent compare release:OLD release:NEW): what grew is at the top. A different load or "
    "different data after the release looks the same."
)
