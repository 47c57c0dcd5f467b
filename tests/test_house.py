"""The floors of the house: a file imports only from floors below its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "torchlock"

# What stands on a floor may use every floor below it, and its own package.
FLOORS = [
    {
        "errors",
        "fence",
        "interrupts",
        "answers",
        "redaction",
        "secret_commands",
        "secret_forms",
        "words",
        "headers",
        "urls",
        "versions",
        "markers",
        "core_metadata",
        "wheel_names",
        "target",
        "document",
        "finding",
        "temporary",
    },
    {
        "data",
        "builds",
        "matrix",
        "stack",
        "catalogue",
        "systems",
        "index",
        "sources",
        "inspect",
        "read",
        "dialects",
        "sdist",
        "direct",
        "live",
        "wheel_build",
    },
    {"solve", "judge"},
    {"lock", "audit", "check"},
    {"explain", "mend", "repair"},
    {"write"},
    {"cli", "__main__"},
]
# Within a floor, who may use whom.
SIDEWAYS = {
    ("core_metadata", "redaction"),
    ("target", "redaction"),
    ("redaction", "secret_forms"),
    ("fence", "redaction"),
    ("secret_forms", "secret_commands"),
    ("markers", "answers"),
    ("markers", "versions"),
    ("target", "answers"),
    ("target", "errors"),
    ("target", "markers"),
    ("target", "words"),
    ("words", "errors"),
    ("core_metadata", "answers"),
    ("core_metadata", "headers"),
    ("core_metadata", "markers"),
    ("core_metadata", "versions"),
    ("core_metadata", "words"),
    ("finding", "document"),
    ("builds", "data"),
    ("matrix", "data"),
    ("catalogue", "data"),
    ("systems", "data"),
    ("stack", "data"),
    ("direct", "read"),
    ("index", "read"),
    ("inspect", "read"),
    ("dialects", "index"),
    ("dialects", "read"),
    ("direct", "index"),
    ("catalogue", "answers"),
    ("direct", "wheel_build"),
    ("live", "catalogue"),
    ("live", "matrix"),
    ("live", "wheel_build"),
    ("wheel_build", "builds"),
    ("wheel_build", "inspect"),
    ("sources", "live"),
    ("sdist", "dialects"),
    ("sdist", "index"),
    ("sdist", "inspect"),
    ("sdist", "read"),
    ("direct", "sdist"),
    ("sources", "sdist"),
    ("sources", "catalogue"),
    ("sources", "index"),
    ("__main__", "cli"),
}


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
        assert floor(other) < floor(here) or (here, other) in SIDEWAYS, f"{path.name} imports {other}"


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
