"""For tests of what a machine spoils that has no processor for them: the best of three runs counts."""

from __future__ import annotations

from collections.abc import Callable


def at_best(measure: Callable[[], None], times: int = 3) -> None:
    """Measure until no `AssertionError` comes; the last one is raised.

    Only where a machine that stops for a moment can take something away (looks, time told) and never add any: one run
    that holds then shows that it can be held.
    """
    for left in reversed(range(times)):
        try:
            measure()
        except AssertionError:
            if not left:
                raise
        else:
            return
