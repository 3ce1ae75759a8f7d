"""For tests of what a machine spoils that has no processor for them: the best of three runs counts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def at_best(measure: Callable[[], None], times: int = 3) -> None:
    """Measure until no `AssertionError` comes; the last one is raised.

    Only where a machine that stops for a moment spoils what is measured (looks that are not taken, time that is not
    told) and can hardly mend it: one run that holds then shows that it can be held.
    """
    for left in reversed(range(times)):
        try:
            measure()
        except AssertionError:
            if not left:
                raise
        else:
            return


def best_of_three(test: Callable[..., None]) -> Callable[..., None]:
    """A test that is `at_best` as a whole; what it begins with is the same each time."""

    @functools.wraps(test)
    def repeated(*args: Any, **kwargs: Any) -> None:
        at_best(lambda: test(*args, **kwargs))

    return repeated
