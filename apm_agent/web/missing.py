"""What is answered with 404."""

from __future__ import annotations

from apm_agent.errors import QuestionError


class NotFoundError(QuestionError):
    """The question is well put, but what it is about is not in the store."""
