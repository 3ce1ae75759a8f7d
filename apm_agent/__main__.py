"""`python -m apm_agent` is the command line."""

from __future__ import annotations

from apm_agent.cli import main

if __name__ == "__main__":
    main()
