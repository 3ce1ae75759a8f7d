"""What is answered when something was changed."""

from __future__ import annotations

from apm_agent.web.answers.memory import ANSWERS
from apm_agent.web.answers.parts import PLAN
from apm_agent.web.shapes import NUMBER, TEXT, YES, Either, Maybe, Shape

CHANGED: dict[str, Shape] = {
    "arms": Either({"arm": ANSWERS["arms"]["arms"][0]}, {"cancelled": YES}),
    "live": {"asked_until": NUMBER, "capture": Maybe({"id": TEXT, "seconds": NUMBER, "at": NUMBER})},
    "plan": {"plan": Maybe(PLAN), "not_kept": Maybe(TEXT)},
}
