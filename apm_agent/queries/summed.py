"""Rollup rows summed by what they are about; what a window has of the past is read once and remembered."""

from __future__ import annotations

from collections.abc import Sequence

from apm_agent.queries.connection import Connection, Row
from apm_agent.queries.memory import Memory
from apm_agent.queries.rollups import KEEP, is_past, settled_until
from apm_agent.queries.scope import select
from apm_agent.queries.window import ROLLUPS, Window

#: A shorter window is cut only where the finest level is the minute, on which all edges lie.
_LONG = 86400
#: More rows than that would take too much room.
_MOST_ROWS = 20_000
_memory = Memory(32)


def summed(  # noqa: PLR0917
    connection: Connection,
    window: Window,
    table: str,
    keys: Sequence[str],
    sums: Sequence[str],
    releases: tuple[int, ...] | None,
    endpoint: int | None = None,
    levels: tuple[int, ...] = ROLLUPS,
    carried: Sequence[str] = (),
) -> list[Row]:
    """A row of the keys and sums each, in the order of the keys; of a column named like a maximum it is that.

    What is `carried` stands at the end of a row: as it is where the one maximum is.
    """
    read = _Reader(connection, table, keys, sums, releases, endpoint, levels, carried)
    uncut = window.seconds < _LONG and levels[0] > ROLLUPS[0]
    if endpoint is not None or uncut or connection.mirror is not None:
        return read.of(window)
    if not window.open:
        return read.past(window) if is_past(window) else read.of(window)
    border = settled_until(window)
    if border is None:
        return read.of(window)
    past, rest = read.past(Window(window.start, border, None, False)), read.of(Window(border, window.end))
    return read.joined(past, rest)


def forget() -> None:
    """Read all of it anew."""
    _memory.clear()


class _Reader:
    """Sums of one table by the same keys."""

    def __init__(  # noqa: PLR0917
        self,
        connection: Connection,
        table: str,
        keys: Sequence[str],
        sums: Sequence[str],
        releases: tuple[int, ...] | None,
        endpoint: int | None,
        levels: tuple[int, ...],
        carried: Sequence[str],
    ) -> None:
        self._connection = connection
        self._what = (table, tuple(keys), tuple(sums), releases, endpoint, levels, tuple(carried))
        self._highest = [_is_highest(column) for column in sums]
        self._peak = len(keys) + self._highest.index(True) if carried else 0

    def of(self, window: Window) -> list[Row]:
        """Read from the store."""
        table, keys, sums, releases, endpoint, levels, carried = self._what
        columns = ", ".join((*keys, *sums, *carried))
        sql, parameters = select(table, columns, window.pieces(levels), releases, endpoint)
        # A column that an older file does not have is written with its value, and has its name after that.
        told = [each.rpartition(" ")[2] for each in sums]
        made = ", ".join(
            f"{'max' if highest else 'sum'}({name})"
            for name, highest in zip(told, self._highest, strict=True)
        )
        by = ", ".join(keys)
        # With one max() in it SQLite takes the other bare columns from the row of the maximum.
        rest = "".join(f", {column}" for column in carried)
        return self._connection.rows(f"SELECT {by}, {made}{rest} FROM ({sql}) GROUP BY {by}", parameters)

    def past(self, window: Window) -> list[Row]:
        """Read from the store, or remembered from a while ago."""
        key = (self._connection.path, self._connection.identity, window, *self._what)
        known: list[Row] | None = _memory.get(key)
        if known is None:
            known = self.of(window)
            if len(known) <= _MOST_ROWS:
                _memory.put(key, known, KEEP)
        return known

    def joined(self, past: list[Row], rest: list[Row]) -> list[Row]:
        """Both as one; neither is changed."""
        width = len(self._what[1])
        whole = {row[:width]: row for row in past}
        for row in rest:
            known = whole.get(row[:width])
            whole[row[:width]] = row if known is None else self._added(row, known, width)
        return [whole[key] for key in sorted(whole)]

    def _added(self, one: Row, other: Row, width: int) -> Row:
        end = width + len(self._highest)
        figures = zip(one[width:end], other[width:end], self._highest, strict=True)
        carried = (one if one[self._peak] > other[self._peak] else other)[end:]
        return (*one[:width], *(max(a, b) if highest else a + b for a, b, highest in figures), *carried)


def _is_highest(column: str) -> bool:
    return "_max" in column
