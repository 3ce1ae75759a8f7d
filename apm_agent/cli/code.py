"""Finds the code of ``module:function`` in its source, which is compiled and never run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType

import click


def find(target: str) -> tuple[CodeType, str]:
    """The code object and its file; ``module:Class.method``, or ``path/to/file.py:function``."""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise click.UsageError(
            f"{target!r} is not module:function, like shop.orders:price or shop.py:Basket.price."
        )
    path = os.path.abspath(place) if place.endswith(".py") else _file_of(place)
    return _search(_compiled(path), name, target), path


def _file_of(module: str) -> str:
    spec: ModuleSpec | None = None
    where: list[str] | None = [os.getcwd(), *sys.path]
    parts = module.split(".")
    for at in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: at + 1]), where)
        if spec is None:
            raise click.UsageError(
                f"there is no module {'.'.join(parts[: at + 1])!r} here; "
                "start in the folder of the application, or name the file: path/to/file.py:function."
            )
        where = list(spec.submodule_search_locations or ())
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise click.UsageError(f"{module!r} has no Python source.")
    return spec.origin


def _compiled(path: str) -> CodeType:
    try:
        with open(path, "rb") as file:
            return compile(file.read(), path, "exec", dont_inherit=True)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except (SyntaxError, ValueError) as error:
        raise click.UsageError(f"{path} is no Python of this version: {error}.") from None


def _search(module: CodeType, name: str, target: str) -> CodeType:
    found = dict(_functions(module, ""))
    code = found.get(name) or next(
        (code for known, code in found.items() if known.endswith(f".{name}")), None
    )
    if code is None:
        near = ", ".join(sorted(found)[:20]) or "none"
        raise click.UsageError(
            f"there is no function {name!r} in {target.rpartition(':')[0]}; there are {near}."
        )
    return code


def _functions(code: CodeType, above: str) -> Iterator[tuple[str, CodeType]]:
    """Functions and classes by their path of names, without ``<locals>``; the last of a name is the one that counts."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            name = f"{above}{inner.co_name}"
            yield name, inner
            yield from _functions(inner, f"{name}.")
