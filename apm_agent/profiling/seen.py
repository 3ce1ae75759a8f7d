"""Which endpoints paths belonged to: the name of a request is known only as its response starts."""

from __future__ import annotations

from apm_agent.model.arm import Arm
from apm_agent.model.transaction import Transaction

_MOST = 2_000
_LONGEST_WORD = 24


class Seen:
    """Names by method and path, and by their shape: `/users/7` tells something of `/users/8`. Bounded."""

    def __init__(self) -> None:
        self._names: dict[tuple[str | None, str], str] = {}
        self._shapes: dict[tuple[str | None, str], set[str]] = {}

    def may_be(self, arm: Arm, transaction: Transaction) -> bool:
        """Whether a transaction that begins may turn out to be of the arm's endpoint.

        It may when its path was last that endpoint's, when one shaped like it was, or when nothing is known of it.
        """
        if transaction.kind == "background":
            return transaction.name == arm.endpoint
        if transaction.kind != "web":
            return False
        method, path = transaction.method, transaction.path
        word, _, rest = arm.endpoint.partition(" ")
        if method is not None and rest.startswith("/") and word.isupper() and word != method:
            return False
        if path is None:
            return True
        name = self._names.get((method, path))
        if name is not None:
            return name == arm.endpoint
        names = self._shapes.get((method, shape(path)))
        return names is None or arm.endpoint in names

    def learn(self, transaction: Transaction) -> None:
        """Remember what a transaction that has ended was called."""
        path = transaction.path
        if path is None or transaction.kind != "web":
            return
        if len(self._names) >= _MOST:
            self._names.clear()
        if len(self._shapes) >= _MOST:
            self._shapes.clear()
        self._names[transaction.method, path] = transaction.name
        names = self._shapes.setdefault((transaction.method, shape(path)), set())
        if len(names) < _MOST:
            names.add(transaction.name)


def shape(path: str) -> str:
    """The path with what looks like data left out: any part with a digit in it, or a long one."""
    return "/".join(
        "*" if len(part) > _LONGEST_WORD or any(letter.isdigit() for letter in part) else part
        for part in path.split("/")
    )
