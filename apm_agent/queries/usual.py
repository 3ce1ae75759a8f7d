"""The two sides of a comparison where the question names none: this window and the one before, or two releases."""

from __future__ import annotations

from apm_agent.errors import QuestionError
from apm_agent.queries.connection import Connection
from apm_agent.queries.window import Window

WINDOW, RELEASE = BY = ("window", "release")


def usual(
    connection: Connection, by: str, window: Window, service: str = "", release: str = ""
) -> tuple[str, str]:
    """Both in the words of `sides.GRAMMAR`: the newest release, or `release`, beside the one first seen before it."""
    if by and by not in BY:
        raise QuestionError(f"by={by[:40]!r} is not one of {', '.join(BY)}")
    if by == RELEASE or (not by and release):
        return _releases(connection, service, release)
    if window.range:
        return f"before:{window.range}", f"range:{window.range}"
    before = window.previous()
    return f"range:{before.start}..{before.end:.0f}", f"range:{window.start}..{window.end:.0f}"


def _releases(connection: Connection, service: str, release: str) -> tuple[str, str]:
    rows = connection.rows(
        "SELECT version FROM releases WHERE version != '' AND (? = '' OR service = ?)"
        " GROUP BY version ORDER BY min(first_seen) DESC",
        (service, service),
    )
    versions = [row[0] for row in rows]
    at = versions.index(release) if release in versions else 0
    if len(versions) < at + 2:
        known = f"{versions[at][:40]!r} is the first one" if versions else "there are none"
        raise QuestionError(
            f"there is no release to compare with: {known}. The setting release, APM_AGENT_RELEASE, names them"
        )
    return f"release:{versions[at + 1]}", f"release:{versions[at]}"
