"""What is answered about the agent, its store and this dashboard."""

from __future__ import annotations

from apm_agent.web.answers.parts import COMMON
from apm_agent.web.shapes import ANY, NUMBER, TEXT, WHOLE, YES, Each, Maybe, Shape

ANSWERS: dict[str, Shape] = {
    "health": {
        **COMMON, "agent": {"version": TEXT, "schema": WHOLE},
        "store": {
            "url": TEXT, "bytes": WHOLE, "wal_bytes": Maybe(WHOLE), "max_bytes": WHOLE, "oldest": NUMBER,
            "newest": NUMBER, "transactions": WHOLE, "written_at": NUMBER, "stale": YES,
        },
        "processes": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "release": Maybe(TEXT), "started": NUMBER,
            "last_seen": NUMBER,
            "python": Maybe(TEXT), "server": Maybe(TEXT), "sampler": Each(ANY), "recorder": Each(ANY),
            "writer": Each(ANY), "overhead": Each(ANY), "instruments": [Each(ANY)],
            "contained": [Each(ANY)], "settings": Each(ANY),
        }],
    },
    "site": {
        **COMMON, "editor": Maybe({"link": TEXT, "paths": Each(TEXT)}), "blame": YES,
        "exports": [{"format": TEXT, "opens": TEXT, "takes": [TEXT]}],
        "files": {"pages": [TEXT], "bytes": Maybe(WHOLE)},
    },
}  # fmt: skip
