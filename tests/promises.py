"""What a long run prints: a line for each promise, and whether it held."""

from __future__ import annotations


class Page:
    """The result, line by line, and how many promises were broken."""

    def __init__(self) -> None:
        self.breaches = 0

    def line(self, holds: bool | None, text: str) -> None:
        """`None`: told only."""
        print(f"{'     ' if holds is None else 'ok   ' if holds else 'NOT  '} {text}", flush=True)
        self.breaches += holds is False
