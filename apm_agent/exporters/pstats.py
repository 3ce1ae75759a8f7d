"""Python's own profile file, as ``cProfile -o`` writes it, for pstats, snakeviz, tuna and gprof2dot."""

from __future__ import annotations

import marshal

from apm_agent.exporters.sampled import MARK, callgraph_of
from apm_agent.model.callgraph import Callgraph, as_pstats
from apm_agent.model.profile import Profile

#: Readable by every Python since 3.4.
_MARSHAL = 4


def export(source: Callgraph | Profile) -> bytes:
    """The callgraph; out of samples with calls 0 and one function more, whose name says why."""
    if isinstance(source, Callgraph):
        return marshal.dumps(as_pstats(source), _MARSHAL)
    stats = as_pstats(callgraph_of(source))
    stats["~", 0, MARK] = (0, 0, 0.0, 0.0, {})
    return marshal.dumps(stats, _MARSHAL)
