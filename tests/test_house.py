"""The floors of the house: a file imports only from its own room and from the floors below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "torchlock"

# From the ground up. Rooms of one floor do not import each other.
FLOORS = [
    {"answers", "errors", "location", "redaction"},
    {"terms"},
    {"standards", "runtime"},
    {"target", "finding"},
    {"knowledge"},
    {"inspect"},
    {"manifests"},
    {"index"},
    {"solve"},
    {"lock"},
    {"audit", "check"},
    {"report"},
    {"cli"},
    {"__main__"},
]


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def imports(path: Path) -> set[str]:
    """The rooms that a file imports from, type-only imports left out."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "torchlock":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torchlock."):
            found.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("torchlock.")}
    return found - {"__version__"}


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_downwards(path: Path) -> None:
    here = room(path)
    for other in imports(path) - {here}:
        assert floor(other) < floor(here), f"{path.relative_to(SOURCE)} imports {other}"


def test_neither_torch_nor_the_network_is_imported_at_the_top_of_a_file() -> None:
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
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
        assert not names & {"torch", "torchaudio"}, path
        if room(path) != "index":
            assert not names & {"requests", "pypi_simple"}, path
