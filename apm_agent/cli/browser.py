"""Opens a page in the user's browser, where there is one with a window."""

from __future__ import annotations

import os
import sys
import webbrowser


def show(url: str) -> None:
    """Open `url`; without a display do nothing, because a browser in the terminal would take it over."""
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
    ):
        return
    webbrowser.open(url)
