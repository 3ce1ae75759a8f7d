"""A profile as a tree: stacks merged by what they share from the outermost frame on."""

from __future__ import annotations

from apm_agent.exporters.naming import NO_FRAMES
from apm_agent.model.profile import Frame, Profile

NOTHING = Frame(NO_FRAMES, "", 0, "lib")


class Tree:
    """Branches in columns, parents before children; branch 0 is everything."""

    __slots__ = ("children", "frame", "own", "parent", "total")

    def __init__(self, profile: Profile) -> None:
        self.parent, self.own, self.total = [-1], [0], [0]
        self.frame: list[Frame] = [NOTHING]
        self.children: list[dict[Frame, int]] = [{}]
        for stack, weight in profile.items():
            self._add(stack or (NOTHING,), weight)
        for branch in range(len(self.parent) - 1, -1, -1):
            self.total[branch] += self.own[branch]
            if branch:
                self.total[self.parent[branch]] += self.total[branch]

    def _add(self, stack: tuple[Frame, ...], weight: int) -> None:
        at = 0
        for frame in stack:
            child = self.children[at].get(frame)
            if child is None:
                child = self.children[at][frame] = len(self.parent)
                self.parent.append(at)
                self.own.append(0)
                self.total.append(0)
                self.frame.append(frame)
                self.children.append({})
            at = child
        self.own[at] += weight

    def heaviest_first(self, branch: int) -> list[int]:
        """The children of a branch."""
        return sorted(self.children[branch].values(), key=lambda child: (-self.total[child], child))
