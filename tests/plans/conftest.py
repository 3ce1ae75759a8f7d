"""Real database servers, and a dashboard that may ask them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from planned import Asked


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Asked]:
    """``asked("shop=postgresql://…")``: a dashboard that may ask these databases."""
    return lambda *explain: Asked(tmp_path / "apm.db", explain)
