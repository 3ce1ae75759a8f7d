"""Holds the code to the drawing in the docstring of `apm_agent/__init__.py`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import apm_agent

PACKAGE = Path(apm_agent.__file__).parent
FILES = sorted(
    p for p in PACKAGE.rglob("*.py") if not {"static", "example_apps"} & set(p.relative_to(PACKAGE).parts)
)
GUESTS = {
    "clickhouse_connect": "clickhouse", "django": "integrations/django", "sqlite_utils": "store", "mcp": "mcp",
}  # fmt: skip
LIBRARIES = {
    "flask", "starlette", "fastapi", "sqlalchemy", "jinja2", "requests", "urllib3", "httpx", "redis", "celery",
}  # fmt: skip


def drawing() -> dict[str, tuple[int, str]]:
    """room → (floor, wing); the ground belongs to both wings."""
    rooms: dict[str, tuple[int, str]] = {}
    for line in (apm_agent.__doc__ or "").splitlines():
        match = re.match(r" {4}(\d) {2}(.+)", line)
        if not match:
            continue
        floor = int(match[1])
        left, _, right = re.sub(r"^ ", "", match[2]).partition("  ")
        for room in left.split():
            rooms[room] = (floor, "both" if floor == 1 else "writes")
        for room in right.split():
            rooms[room] = (floor, "reads")
    return rooms


ROOMS = drawing()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("apm_agent", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def imports_of(path: Path) -> list[str]:
    """Full names of all modules a file imports, in functions too; what only the type checker reads is no arrow."""
    names: list[str] = []
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            base = node.module or ""
            names += [
                f"{base}.{alias.name}" if (PACKAGE.parent / base.replace(".", "/") / f"{alias.name}.py").exists()
                or (PACKAGE.parent / base.replace(".", "/") / alias.name / "__init__.py").exists() else base
                for alias in node.names
            ]  # fmt: skip
    return names


def ours(path: Path) -> set[str]:
    return {name for name in imports_of(path) if name.split(".")[0] == "apm_agent"}


def test_the_drawing_names_every_room() -> None:
    assert len(ROOMS) > 15
    rooms = {room_of(p) for p in FILES}
    assert rooms - set(ROOMS) == set(), "rooms that stand on no floor"
    assert {r for r in ROOMS if r not in rooms} == set(), "drawn, but not built"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_and_stay_in_their_wing(path: Path) -> None:
    room = room_of(path)
    floor, wing = ROOMS[room]
    for name in ours(path):
        parts = name.split(".")
        if len(parts) == 1:
            # Law: nothing inside imports the front door, but `apm_agent` for its version.
            assert room in {"cli", "__main__"} or name != "apm_agent" or room == "web", (
                f"{path} imports the front door"
            )
            continue
        other = parts[1]
        if other == room:
            continue
        other_floor, other_wing = ROOMS[other]
        if room == "cli" or path.relative_to(PACKAGE).as_posix() == "integrations/mount.py":
            continue  # the two doors
        assert other_floor < floor, f"{room} (floor {floor}) imports {name} (floor {other_floor})"
        assert "both" in (wing, other_wing) or wing == other_wing, (
            f"{room} imports {name} from the other wing"
        )


def test_no_import_circle() -> None:
    graph = {module_of(p): {n for n in ours(p) if n != "apm_agent"} for p in FILES}
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail[trail.index(name) :], name))
        if name in done:
            return
        for other in graph.get(name, ()):
            walk(other, (*trail, name))
        done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_guests_stay_in_their_room(path: Path) -> None:
    where = path.relative_to(PACKAGE).as_posix()
    for name in imports_of(path):
        top = name.split(".")[0]
        if top in GUESTS:
            assert where.startswith(GUESTS[top]), f"{where} imports {name}"
        if where.startswith("instruments/"):
            assert top not in LIBRARIES, f"{where} imports the library it instruments"


def test_one_place_swallows() -> None:
    broad = {
        p.relative_to(PACKAGE).as_posix()
        for p in FILES
        for node in ast.walk(ast.parse(p.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        )
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    }
    # A user's own __str__ may raise anything; what is thrown into a generator goes on into the inner one.
    assert broad <= {"errors.py", "tracing/failure.py", "tracing/around.py", "profiling/decorated.py"}


def test_files_have_one_sentence_and_an_end() -> None:
    for path in FILES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), f"{path} opens with no sentence"
        assert len(path.read_text().splitlines()) <= 340, f"{path} is longer than one reason"
