"""Whether the application's server lets threads of ours run beside its own."""

from __future__ import annotations

import sys


def refused() -> str:
    """Why not, and what helps; empty where they run.

    uWSGI up to 2.0.26 keeps the GIL between two requests unless it is told otherwise: a thread runs only while the
    application itself waits for something.
    """
    uwsgi = sys.modules.get("uwsgi")  # uWSGI makes it
    if uwsgi is not None and not getattr(uwsgi, "has_threads", 1):
        return "uWSGI runs no threads; cure: start it with --enable-threads"
    return ""


_said = False


def warn() -> None:
    """Say so, once, if they are refused."""
    global _said
    why = "" if _said else refused()
    if why:
        import logging

        _said = True
        logging.getLogger("apm_agent").warning(
            "apm-agent: %s. Until then what is recorded waits in memory for the end of its worker, and may be lost "
            "with it; no stacks are looked at.",
            why,
        )
