"""The shape of each question's answer: every key, its type, and null only where it is said.

Each question in ROUTES and each change in CHANGES has a row here, in the file its subject has; what its keys mean
stands in `web/meanings.py`. The OpenAPI document is made of them, and the tests hold the answers to them.
"""

from __future__ import annotations

from apm_agent.web.answers import (
    comparisons,
    endpoints,
    errors,
    jobs,
    memory,
    sites,
    statements,
    transactions,
)
from apm_agent.web.answers.changed import CHANGED
from apm_agent.web.shapes import Shape

__all__ = ["ANSWERS", "CHANGED"]

ANSWERS: dict[str, Shape] = {
    **endpoints.ANSWERS,
    **transactions.ANSWERS,
    **statements.ANSWERS,
    **jobs.ANSWERS,
    **errors.ANSWERS,
    **memory.ANSWERS,
    **comparisons.ANSWERS,
    **sites.ANSWERS,
}
