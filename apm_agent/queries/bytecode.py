"""The instructions of a function that a transaction ran, by line: its source is compiled, never run."""

from __future__ import annotations

import dis
import platform
from collections.abc import Iterator
from types import CodeType
from typing import Any

from apm_agent.model.profile import Frame
from apm_agent.queries import detail, written
from apm_agent.queries.connection import Connection
from apm_agent.queries.rows import COLUMNS, TABLES

_MOST = 2000
_LONGEST = 120


def bytecode(connection: Connection, number: int, file: str, function: str) -> dict[str, Any] | None:
    """What `function` of `file` compiles to, if the transaction's samples name them; None where they do not.

    ``lines`` lists ``{line, instructions: [[offset, name, argument], …]}`` in the order of the bytecode; ``python`` is
    the version it was compiled by, which ``ran_on`` may differ from. Empty when the source cannot be shown.
    """
    row = connection.row(
        f"SELECT {COLUMNS}, p.python, p.server, p.app_root FROM {TABLES} WHERE x.id = ?", (number,)
    )
    blob = connection.row("SELECT data FROM traces WHERE transaction_id = ?", (number,))
    if row is None or blob is None:
        return None
    document = detail.unpack(blob[0])
    known = written.known_names(connection, row, document)
    frames = {frame for weighed in written.profiled(document, known).stacks for frame in weighed.stack}
    named = sorted(frame for frame in frames if frame.file == file and frame.function == function)
    if not named:
        return None
    text = known.sources.text(named[0])
    code = _find(text, named) if text else None
    lines = list(_by_line(code)) if code is not None else []
    return {
        "file": file,
        "function": function,
        "python": platform.python_version(),
        "ran_on": row[27] or None,
        "lines": lines,
    }


def _find(text: str, named: list[Frame]) -> CodeType | None:
    """The code object these frames are of: of that name, and with all their lines."""
    try:
        module = compile(text, named[0].path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    name = named[0].function.rpartition(".")[2]
    wanted = {frame.line for frame in named}
    for code in _inside(module):
        lines = {line for _, _, line in code.co_lines() if line} | {code.co_firstlineno}
        if code.co_name == name and wanted <= lines:
            return code
    return None


def _inside(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _inside(inner)


def _by_line(code: CodeType) -> Iterator[dict[str, Any]]:
    starts = dict(dis.findlinestarts(code))
    here: dict[str, Any] | None = None
    for count, instruction in enumerate(dis.get_instructions(code)):
        line = starts.get(instruction.offset)
        if here is None or (line and line != here["line"]):
            if here is not None:
                yield here
            here = {"line": line or code.co_firstlineno, "instructions": []}
        if count >= _MOST:
            break
        here["instructions"].append([instruction.offset, instruction.opname, instruction.argrepr[:_LONGEST]])
    if here is not None:
        yield here
