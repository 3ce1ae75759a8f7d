"""What single transactions did, packed, fetched from the server as it is looked into and kept for a while."""

from __future__ import annotations

from collections.abc import Collection

from apm_agent.queries.drawing import Drawing

#: Fetched at once: for the first, and at most where one follows the other; bytes that are kept.
_FEW, _MOST, _BYTES = 100, 3200, 64 * 2**20


class Blobs:
    """A bounded memory of them."""

    def __init__(self) -> None:
        self._held: dict[int, bytes | None] = {}
        self._bytes = 0
        self.begin()

    def begin(self) -> None:
        """Another statement begins to read."""
        self._last, self._at_once = 0, _FEW

    def of(self, number: int, drawing: Drawing) -> bytes | None:
        """The one of a transaction; those that are likely to be read next come with it."""
        if number not in self._held:
            # Whoever reads on has the next ones fetched by the thousand.
            self._at_once = min(_MOST, 2 * self._at_once) if self._last else _FEW
            self._hold(drawing.blobs(number, self._at_once, back=number < self._last))
            self._held.setdefault(number, None)
            self._last = number
        return self._held[number]

    def fetch(self, ids: Collection[int], drawing: Drawing) -> None:
        """Have these at hand."""
        unread = [number for number in ids if number not in self._held]
        if len(unread) > 1:
            self._hold(drawing.blobs_of(unread))

    def _hold(self, found: dict[int, bytes]) -> None:
        if self._bytes > _BYTES:
            self._held.clear()
            self._bytes = 0
        self._held.update(found)
        self._bytes += sum(map(len, found.values()))
