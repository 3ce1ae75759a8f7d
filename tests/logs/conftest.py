"""The agent that tests of logs and errors ask."""

from logs_kept import kept

__all__ = ["kept"]
