"""The folder of arms as a process that measures sees it: what is armed, and the slots it takes for its results."""

from __future__ import annotations

import os
import time

from apm_agent.model.arm import Arm, file_of, paths_of, read, slot_of, sort

#: A folder changed so short a time ago may change again without its time changing: file systems count in ticks.
_FRESH_NS = 1_000_000_000
#: Slots of an arm that is gone are somebody's who has just taken one, for so long.
_ORPHANED = 60.0


class Slots:
    """Looks at the folder when told to; a folder that is not there holds nothing."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._read_at: int | None = None
        self._arms: dict[str, Arm] = {}

    def changed(self) -> bool:
        """Whether the folder may hold something else than when it was read: one `stat`."""
        try:
            at = os.stat(self.folder).st_mtime_ns
        except OSError:
            at = 0
        return at != self._read_at or (at != 0 and abs(time.time_ns() - at) < _FRESH_NS)

    def read(self) -> list[tuple[Arm, int]]:
        """All arms that are not over, and how many of their slots are free; takes away what is long over."""
        try:
            self._read_at = os.stat(self.folder).st_mtime_ns
            ids, taken = sort(os.listdir(self.folder))
        except OSError:
            self._read_at = 0
            ids, taken = [], {}
        known, self._arms = self._arms, {}
        found = []
        for arm_id in ids:
            arm = known.get(arm_id) or read(self.folder, arm_id)
            if arm is None:
                continue
            self._arms[arm_id] = arm
            if arm.until <= time.time():
                self._remove(arm_id, arm.wanted)
            elif taken.get(arm_id, 0) < arm.wanted:
                found.append((arm, arm.wanted - taken.get(arm_id, 0)))
        for arm_id in taken.keys() - set(ids):
            self._remove_orphans(arm_id)
        return found

    def take(self, arm: Arm) -> str:
        """Take one of the arm's slots, by its path; empty when none is free or it was cancelled."""
        if not os.path.exists(file_of(self.folder, arm.id)):
            return ""
        for number in range(arm.wanted):
            path = slot_of(self.folder, arm.id, number)
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                continue
            except OSError:
                return ""
            return path
        return ""

    def give_back(self, slot: str) -> None:
        """Let another transaction have the slot."""
        _unlink(slot)

    def _remove(self, arm_id: str, count: int) -> None:
        for path in paths_of(self.folder, arm_id, count):
            _unlink(path)

    def _remove_orphans(self, arm_id: str) -> None:
        for path in paths_of(self.folder, arm_id):
            try:
                if time.time() - os.stat(path).st_mtime > _ORPHANED:
                    _unlink(path)
            except OSError:
                continue


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:  # another process was faster, or it was never there
        return
