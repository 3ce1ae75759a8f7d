"""What was worked out from the past and stays as it is, remembered for a while by one process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

_MISSING = object()


class Memory:
    """A bounded mapping whose entries go out of date; safe for the threads of a server."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, otherwise: Any = None) -> Any:
        """What is remembered under a key, unless it is out of date."""
        with self._lock:
            until, value = self._kept.get(key, (0.0, _MISSING))
        return otherwise if value is _MISSING or until < time.monotonic() else value

    def put(self, key: Hashable, value: Any, seconds: float) -> None:
        """Remember it for so long; what was put first is forgotten first."""
        with self._lock:
            self._kept[key] = (time.monotonic() + seconds, value)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
