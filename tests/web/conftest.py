"""Fixtures of the made-up day."""

from days import connection, day, raw, url

__all__ = ["connection", "day", "raw", "url"]
