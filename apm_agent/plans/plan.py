"""A plan as all databases' answers are written: steps from the outermost in, and what may go wrong on the way."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from apm_agent.errors import QuestionError, StoreError

#: Seconds: to connect, and for the database to plan.
CONNECT, PATIENCE = 3, 3
#: A plan longer than this is cut, and says so.
MOST_STEPS = 200
LONGEST_TEXT = 400


class RefusedError(QuestionError):
    """The statement is not put to a database; the message says why."""


class DatabaseError(StoreError):
    """The database could not be asked; the message says why, without anything secret."""


class Step(NamedTuple):
    """One line of a plan. `rows` and `cost` are the database's guesses, in rows and in its own unit."""

    depth: int
    #: what is done, which is what makes two plans the same or not: "Seq Scan on orders"
    text: str
    #: by which condition or key, also part of the plan
    details: tuple[str, ...] = ()
    rows: float | None = None
    cost: float | None = None
    #: it reads all of a table
    scan: bool = False


def bounded(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The first steps, none of them longer than a page can show."""
    return tuple(
        each._replace(
            depth=min(each.depth, 60),
            text=each.text[:LONGEST_TEXT],
            details=tuple(detail[:LONGEST_TEXT] for detail in each.details[:12]),
        )
        for each in islice(steps, MOST_STEPS)
    )


class Plan(NamedTuple):
    """What a database answered: `server` as it names itself, `note` what to know to read it right."""

    steps: tuple[Step, ...]
    server: str
    note: str
