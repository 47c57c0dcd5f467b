"""The floors of the house: a file imports from floors below it and from its own room, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "torchlock"

# The rooms of each floor, from the bottom to the top. Rooms of one floor do not import each other.
FLOORS = {
    "types": ("typed",),
    "errors": ("errors", "patterns", "records", "spelling"),
    "words": ("answers", "location", "redaction", "terms"),
    "tools": ("runtime", "standards"),
    "values": ("finding", "target"),
    "knowledge": ("knowledge",),
    "installed": ("inspect",),
    "written": ("manifests",),
    "indexes": ("index",),
    "solver": ("proving", "solve"),
    "gathered": ("fetching", "gathering"),
    "lock": ("lock",),
    "judges": ("audit", "check", "matrix"),
    "reports": ("report",),
    "jobs": ("jobs",),
    "commands": ("cli",),
    "library": ("api",),
    "programs": ("fleet", "servers"),
    "start": ("__main__",),
}
HEIGHT = {room: height for height, rooms in enumerate(FLOORS.values()) for room in rooms}
FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


class Imported(NamedTuple):
    """One import from this package: its line, the room, and the names that are taken of it."""

    line: int
    room: str
    names: tuple[str, ...]


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(tree: ast.Module) -> Iterator[Imported]:
    """What a file imports from this package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names, package = tuple(alias.name for alias in node.names), node.module or ""
            assert not node.level, f"line {node.lineno}: a relative import"
            inner = [(f"torchlock.{name}", ()) for name in names if name != "__version__"]
            modules = inner if package == "torchlock" else [(package, names)]
        else:
            continue
        for module, names in modules:
            if module.startswith("torchlock."):
                yield Imported(node.lineno, module.split(".")[1], names)


class Contents(NamedTuple):
    """What a file imports from this package, the attributes that it takes of names, and what its top imports."""

    imported: tuple[Imported, ...]
    attributes: frozenset[tuple[str, str]]
    top: frozenset[str]


@cache
def contents(path: Path) -> Contents:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = {
        (node.value.id, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    top = {
        name.split(".")[0]
        for node in tree.body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    return Contents(tuple(imported(tree)), frozenset(attributes), frozenset(top))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_downwards(path: Path) -> None:
    """Types included: what a function takes belongs to a floor that it may know."""
    here = room_of(path)
    for each in contents(path).imported:
        is_below = HEIGHT[each.room] < HEIGHT[here]
        assert each.room == here or is_below, f"line {each.line} of {path} imports from {each.room}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_private_names_stay_in_their_room(path: Path) -> None:
    here, found = room_of(path), contents(path)
    taken = {name for each in found.imported if each.room != here for name in each.names}
    taken |= {attribute for name, attribute in found.attributes if name in taken}
    assert not {name for name in taken if name.startswith("_") and not name.startswith("__")}


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in FILES} == HEIGHT.keys()


def test_neither_torch_nor_the_network_is_imported_at_the_top_of_a_file() -> None:
    for path in FILES:
        names = contents(path).top
        assert not names & {"torch", "torchaudio"}, path
        if room_of(path) != "index":
            assert not names & {"requests", "pypi_simple"}, path
