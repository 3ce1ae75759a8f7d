"""Puts the instruments in place as the application imports their libraries, and takes them out again.

A table is loaded when the first of its packages is about to be executed. A row that cannot be placed is `failed`
with its reason; it never raises into the application. Nothing here holds a lock: loading and placing are
idempotent, each row is claimed by one thread at a time, and what was placed while it was taken out is taken out
by whoever placed it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Iterable
from types import FunctionType, ModuleType
from typing import Any

from apm_agent.errors import ConfigError, contained
from apm_agent.instruments import INSTRUMENTS, importing
from apm_agent.instruments.rows import Attached, Patch, Row
from apm_agent.instruments.wrapping import stand_in

PATCHED, WAITING, FAILED, DISABLED = "patched", "waiting", "failed", "disabled"

#: Names of the instruments that are on.
_on: set[str] = set()
#: name → its rows as they stand, of those whose table is loaded.
_active: dict[str, list[_Placement]] = {}
#: Rows that belong to no instrument.
_others: list[_Placement] = []
#: name → why its table could not be read.
_broken: dict[str, str] = {}


def apply(off: Collection[str] = ()) -> None:
    """Place all instruments but those in `off`: now what is imported, the rest on import.

    Applying again places what was lost meanwhile (somebody put the original back) and nothing twice. Raises
    `ConfigError` for a name in `off` that is no instrument.
    """
    for name in off:
        if name not in INSTRUMENTS:
            import difflib  # of use only to somebody who reads this message

            guesses = difflib.get_close_matches(name, INSTRUMENTS, n=1)
            names = ", ".join(INSTRUMENTS)
            known = f"Did you mean {guesses[0]!r}?" if guesses else f"Instruments are: {names}."
            raise ConfigError(f"instruments_off names {name!r}, which is no instrument. {known}")
    for name, (_, *packages) in INSTRUMENTS.items():
        if name in off:
            _on.discard(name)
            _take_out(_active.pop(name, []))
            continue
        _on.add(name)
        for package in packages:  # before the look at what is there: it may be imported in between
            importing.expect(package, _expected)
        if any(package in sys.modules for package in packages):
            for placement in _loaded(name):
                _place_when_imported(placement)
            _take_out_if_off(name)


def place(rows: Iterable[Row]) -> Callable[[], None]:
    """Place rows of no instrument, such as the doors applications come through; returns what takes them out."""
    placements = [_Placement(row) for row in rows]
    _others.extend(placements)
    for placement in placements:
        _place_when_imported(placement)

    def take_out() -> None:
        for placement in placements:
            _others.remove(placement)
        _take_out(placements)

    return take_out


def remove() -> None:
    """Take all instruments out: every patched attribute is the very object again that was there."""
    _on.clear()
    for name in reversed(list(_active)):
        _take_out(_active.pop(name, []))
    _broken.clear()
    importing.expect_nothing()
    if not _others:
        importing.forget(_imported)


def states() -> list[tuple[str, str, str]]:
    """Name, state (patched, waiting, failed, disabled) and a detail for people, of every instrument."""
    return [(name, *_state(name)) for name in INSTRUMENTS]


def _state(name: str) -> tuple[str, str]:
    if name not in _on:
        return DISABLED, ""
    if name in _broken:
        return FAILED, _broken[name]
    placements = _active.get(name)
    if placements is None:
        return WAITING, f"not imported yet: {', '.join(INSTRUMENTS[name][1:])}"
    of = {state: [p for p in placements if p.state == state] for state in (PATCHED, WAITING, FAILED)}
    if of[FAILED]:
        return FAILED, "; ".join(f"{p.row.target}: {p.reason}" for p in of[FAILED])
    if of[PATCHED]:
        return PATCHED, ""
    return WAITING, f"not imported yet: {', '.join(dict.fromkeys(p.module for p in of[WAITING]))}"


def _expected(package: str) -> None:
    """A package is about to be executed: what is patched below it must be known by then, and is placed after."""
    for name, (_, *packages) in INSTRUMENTS.items():
        if package in packages and name in _on:
            for placement in _loaded(name):
                importing.watch(placement.module, _imported)
            _take_out_if_off(name)


def _loaded(name: str) -> list[_Placement]:
    placements = _active.get(name)
    # Two threads may read a table at once; the rows of one of them are used, by both.
    return placements if placements is not None else _active.setdefault(name, _placements(name))


def _take_out_if_off(name: str) -> None:
    if name not in _on:  # since we looked
        _take_out(_active.pop(name, []))


def _placements(name: str) -> list[_Placement]:
    _broken.pop(name, None)
    placements: list[_Placement] = []
    with _noting(f"loading the instrument {name}", lambda reason: _broken.update({name: reason})):
        placements = [_Placement(row) for row in importlib.import_module(INSTRUMENTS[name][0]).PATCHES]
    return placements


def _take_out(placements: list[_Placement]) -> None:
    for placement in reversed(placements):
        placement.undo()


def _place_when_imported(placement: _Placement) -> None:
    importing.watch(placement.module, _imported)  # imported already: it may be reloaded
    module = sys.modules.get(placement.module)
    if module is not None and not importing.is_to_come(module):
        placement.place(module)


def _imported(module: ModuleType) -> None:
    for placement in _all():
        if placement.module == module.__name__:
            placement.place(module)


def _all() -> list[_Placement]:
    return [placement for placements in (*_active.values(), _others) for placement in placements]


class _Placement:
    """One row and where it stands now."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.module = row.target.partition(":")[0]
        self.state = WAITING
        self.reason = ""
        self._wanted = True
        self._busy: list[None] = [None]
        self._detach: Callable[[], None] | None = None
        self._parent: Any = None
        self._name = ""
        self._own = False
        self.original: Any = None
        self.replacement: Any = None

    def place(self, module: ModuleType) -> None:
        """Place the row if it is not; a failure is kept as the reason."""
        try:
            self._busy.pop()  # claims it: two threads importing at once place it once
        except IndexError:
            return
        try:
            with _noting(f"placing {self.row.target}", self._failed):
                if isinstance(self.row, Attached):
                    self._attach(module, self.row)
                else:
                    self._patch(module, self.row)
                self.state = PATCHED
        finally:
            self._busy.append(None)
        if not self._wanted:
            self.undo()

    def undo(self) -> None:
        """Put back what was there, for good."""
        self._wanted = False
        self.state = WAITING
        with contained(f"removing {self.row.target}"):
            if self._detach is not None:
                detach, self._detach = self._detach, None
                detach()
            # Where somebody else patched over us we stay below, doing nothing: their patch is not ours.
            elif self.replacement is not None and _raw(self._parent, self._name)[0] is self.replacement:
                if self._own:
                    setattr(self._parent, self._name, self.original)
                else:
                    delattr(self._parent, self._name)
        self._parent = self.original = self.replacement = None

    def _failed(self, reason: str) -> None:
        self.state, self.reason = FAILED, reason

    def _attach(self, module: ModuleType, row: Attached) -> None:
        if self._detach is None:
            self._detach = row.attach(module)

    def _patch(self, module: ModuleType, row: Patch) -> None:
        *path, name = row.target.partition(":")[2].split(".")
        parent: Any = module
        for part in path:
            parent = getattr(parent, part)
        found, own = _raw(parent, name)
        if self.replacement is not None and self._parent is parent and _is_below(self.replacement, found):
            return
        self.original, self.replacement = self._known(found) or (found, None)
        if self.replacement is None:
            self.replacement = stand_in(found, row, isinstance(parent, type))
            if not own and isinstance(self.replacement, FunctionType):
                # It lies here now, not where it is inherited from, and pickle looks for it by these names.
                self.replacement.__module__ = parent.__module__
                self.replacement.__qualname__ = f"{parent.__qualname__}.{name}"
        self._parent, self._name, self._own = parent, name, own
        setattr(parent, name, self.replacement)

    def _known(self, found: Any) -> tuple[Any, Any] | None:
        """Original and replacement when the same object is patched elsewhere: ``from dbapi2 import *``."""
        for other in _all():
            if (
                other is not self
                and other.replacement is not None
                and _manner(other.row) == _manner(self.row)
            ):
                if found is other.replacement:
                    return other.original, found
                if found is other.original:
                    return found, other.replacement
        return None


def _manner(row: Row) -> tuple[Any, ...]:
    return type(row), *(value for key, value in row._asdict().items() if key != "target")


def _raw(parent: Any, name: str) -> tuple[Any, bool]:
    """The attribute as it lies there, unbound, and whether it is the parent's own rather than inherited."""
    holders = parent.__mro__ if isinstance(parent, type) else (parent,)
    for holder in holders:
        if name in vars(holder):
            return vars(holder)[name], holder is parent
    return getattr(parent, name), False


def _is_below(replacement: Any, found: Any) -> bool:
    """Whether `found` is our replacement, or somebody's wrapper around it."""
    for _ in range(20):
        if found is replacement:
            return True
        found = getattr(found, "__wrapped__", None)
    return False


class _noting(contained):
    """`contained` that also tells the reason."""

    __slots__ = ("tell",)

    def __init__(self, what: str, tell: Callable[[str], None]) -> None:
        super().__init__(what)
        self.tell = tell

    def note(self, error: Exception) -> None:
        self.tell(f"{type(error).__name__}: {error}"[:300])
        super().note(error)
