"""What is answered about errors."""

from __future__ import annotations

from apm_agent.web.answers.parts import COMMON, FRAME, ROW
from apm_agent.web.shapes import NUMBER, TEXT, WHOLE, YES, Maybe, Shape

_ERROR = {
    "type": TEXT, "message": Maybe(TEXT), "file": Maybe(TEXT), "line": Maybe(WHOLE), "function": Maybe(TEXT),
    "frame": Maybe(TEXT), "count": WHOLE, "first": NUMBER, "last": NUMBER, "first_release": Maybe(TEXT),
    "endpoint_count": WHOLE,
    "endpoints": [{"name": TEXT, "kind": TEXT, "service": TEXT, "count": WHOLE}],
    "releases": [{"release": Maybe(TEXT), "count": WHOLE}], "traces": [TEXT], "spark": [WHOLE],
}  # fmt: skip

ANSWERS: dict[str, Shape] = {
    "errors": {
        **COMMON, "errors": [_ERROR], "groups": WHOLE, "failed": WHOLE, "of": WHOLE, "more": YES,
        "cursor": Maybe(TEXT), "services": [TEXT], "releases": [TEXT],
    },
    "error": {
        **COMMON, "error": _ERROR,
        "stack": [{
            **FRAME, "source": Maybe(TEXT), "changed": YES, "lines": [{"number": WHOLE, "text": TEXT}],
        }],
        "messages": [{"message": TEXT, "count": WHOLE}],
        "series": {"t": [NUMBER], "step": WHOLE, "count": [WHOLE]},
        "shared": {
            "values": [{
                "attribute": TEXT, "value": TEXT, "inside": NUMBER, "outside": Maybe(NUMBER),
                "inside_count": WHOLE, "outside_count": WHOLE, "sure": YES,
            }],
            "inside": WHOLE, "outside": WHOLE, "thin": YES,
        },
        "traces": [ROW],
        "log": [{"t_ms": NUMBER, "level": TEXT, "logger": TEXT, "text": TEXT}],
        "of": Maybe(TEXT),
    },
}  # fmt: skip
