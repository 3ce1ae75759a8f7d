"""The user's function that has the last word on every value: found when first asked, and never trusted not to fail."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from apm_agent.errors import ApmError, contained
from apm_agent.model.scrub import MASK


class ScrubError(ApmError):
    """The function of the setting `scrub_function` failed; says where and by which class, never with which value."""


class _Failing(contained):
    """Says once that the function failed: what it raised may quote the secret it was given."""

    __slots__ = ()

    def note(self, error: Exception) -> None:
        """Count the failure by its class and place."""
        # A new one, without a traceback: whoever keeps log records would keep the writer's frames, and values.
        if isinstance(error, ScrubError):
            error = ScrubError(str(error))
        else:
            place, traceback = "", error.__traceback__
            while traceback is not None:
                place = f" at {traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
                traceback = traceback.tb_next
            error = ScrubError(f"{type(error).__name__}{place}; values are masked instead")
        super().note(error)


_asking = _Failing("asking scrub_function")


class ScrubFunction:
    """Calls ``module:function(key, value)``; what it cannot answer is masked."""

    __slots__ = ("_found", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: Any = None

    def __call__(self, key: str, value: Any) -> Any:
        answer: Any = MASK
        with _asking:
            # By now the application is loaded; when the agent starts it may be what is just being imported.
            try:
                answer = (self._found or self._find())(key, value)
            except SystemExit as error:  # would end the writer
                raise RuntimeError("it asked the process to end") from error
        return answer

    def _find(self) -> Any:
        self._found = _missing  # asked once: what is not there now will not be there for the next value
        module, _, name = self._name.partition(":")
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not callable(found):
            raise ScrubError(f"{self._name} is no function; values are masked instead")
        self._found = found
        return found


def _missing(key: str, value: Any) -> Any:
    return MASK
