"""Writes a profile in another tool's format: one file a format, found by one table."""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """A row of the table; the module is only loaded when it is asked for."""

    module: str
    content_type: str
    ending: str


#: Format → module with ``export(profile) -> bytes``, its content type and what a download's name ends in.
EXPORTERS = {
    "speedscope": Format("apm_agent.exporters.speedscope", "application/json", ".speedscope.json"),
    "folded": Format("apm_agent.exporters.folded", "text/plain; charset=utf-8", ".folded.txt"),
}
