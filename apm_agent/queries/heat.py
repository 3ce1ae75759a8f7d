"""How much sampled time lies on each line of one file."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from apm_agent.model.profile import WAITING
from apm_agent.queries.connection import Connection
from apm_agent.queries.profile import of_window
from apm_agent.queries.scope import Scope
from apm_agent.queries.window import Window


class Heat(NamedTuple):
    """Nanoseconds by line of the file: with the line innermost, and with it anywhere on the stack."""

    own: dict[int, int]
    total: dict[int, int]


def of_file(connection: Connection, window: Window, scope: Scope, path: str) -> Heat:
    """The heat of a file, by the path it had where it ran."""
    own: dict[int, int] = defaultdict(int)
    total: dict[int, int] = defaultdict(int)
    for weighed in of_window(connection, window, scope.endpoints, scope.releases).stacks:
        if weighed.state == WAITING:
            continue  # suspended there: no line's heat
        here = [frame.line if frame.path == path else 0 for frame in weighed.stack]
        for line in set(here) - {0}:
            total[line] += weighed.weight_ns
        if here and here[-1]:
            own[here[-1]] += weighed.weight_ns
    return Heat(dict(own), dict(total))


def pythons(connection: Connection) -> set[str]:
    """The versions of Python that wrote into the store."""
    return {row[0] for row in connection.rows("SELECT DISTINCT python FROM processes") if row[0]}
