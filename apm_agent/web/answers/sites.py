"""What is answered about the agent, its store and this dashboard."""

from __future__ import annotations

from apm_agent.web.answers.parts import COMMON
from apm_agent.web.shapes import ANY, NUMBER, TEXT, WHOLE, YES, Each, File, Maybe, Shape

ANSWERS: dict[str, Shape] = {
    "health": {
        **COMMON, "agent": {"version": TEXT, "schema": WHOLE, "reads": WHOLE},
        "dashboard": {"python": TEXT, "sqlite": TEXT, "werkzeug": TEXT, "host": TEXT, "pid": WHOLE},
        "store": {
            "url": TEXT, "bytes": Maybe(WHOLE), "wal_bytes": Maybe(WHOLE), "max_bytes": Maybe(WHOLE),
            "oldest": Maybe(NUMBER), "newest": Maybe(NUMBER), "transactions": WHOLE,
            "written_at": Maybe(NUMBER), "stale": YES, "details": WHOLE,
            "partial": Maybe(TEXT),
            "shipping": [{
                "server": Maybe(TEXT), "shipper": Maybe(TEXT), "at": Maybe(NUMBER), "shipped": WHOLE, "dropped": WHOLE,
                "behind_s": Maybe(NUMBER), "waiting": Maybe(TEXT),
            }],
            "kept": [{"what": TEXT, "oldest": Maybe(NUMBER), "max_age_s": Maybe(NUMBER)}],
        },
        "cost": {
            "processes": WHOLE, "transactions": WHOLE, "cpu_share": Maybe(NUMBER), "cpu_share_most": Maybe(NUMBER),
            "mean_us": Maybe(NUMBER), "p50_us": Maybe(NUMBER), "p95_us": Maybe(NUMBER),
        },
        "checks": [{"state": TEXT, "what": TEXT, "detail": TEXT, "cure": TEXT}],
        "elsewhere": [{"what": TEXT, "detail": TEXT}], "unused": [TEXT], "unused_in": TEXT,
        "privacy": {
            "looked_at": WHOLE, "with_path": WHOLE, "with_context": WHOLE, "masked_paths": WHOLE,
            "masked_contexts": WHOLE, "keys": [{"key": TEXT, "count": WHOLE}],
        },
        "processes": [{
            "host": TEXT, "pid": WHOLE, "service": TEXT, "release": Maybe(TEXT), "started": NUMBER,
            "last_seen": NUMBER,
            "python": Maybe(TEXT), "server": Maybe(TEXT), "sampler": Maybe(Each(ANY)),
            "recorder": Maybe(Each(ANY)),
            "writer": Maybe(Each(ANY)), "overhead": Maybe(Each(ANY)), "instruments": [Each(ANY)],
            "contained": [Each(ANY)], "settings": Each(ANY),
        }],
    },
    "site": {
        **COMMON, "editor": Maybe({"link": TEXT, "paths": Each(TEXT)}), "blame": YES,
        "exports": [{"format": TEXT, "opens": TEXT, "takes": [TEXT]}],
        "files": {"pages": [TEXT], "bytes": Maybe(WHOLE)},
    },
    "saved": File("text/html; charset=utf-8"),
}  # fmt: skip
