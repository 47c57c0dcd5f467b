"""The names that the release files and the tables of dependents declare, so that few of these files are opened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compiling.values import TableError

if TYPE_CHECKING:
    from pathlib import Path


def read_declared(data: Path) -> dict[str, Any]:
    """``names``: project → the projects that any of its releases declares; ``dependents``: those with a table.

    Raises:
        TableError: a file is damaged.
    """
    dependents = sorted((data / "dependents").glob("*.json"))
    files = {path.stem: path for path in [*sorted((data / "releases").glob("*.json")), *dependents]}
    return {
        "dependents": [path.stem for path in dependents],
        "names": {name: declared for name, path in files.items() if (declared := _names(name, path))},
    }


def _names(name: str, path: Path) -> list[str]:
    try:
        head = path.read_text(encoding="utf-8").partition('\n"requires": ')[0]
        rows = json.loads(head.rstrip().rstrip(",") + "}")["requirements"]
    except (ValueError, KeyError) as error:
        raise TableError(f"{path.name}: damaged ({error})") from error
    return sorted({row[0] for row in rows} - {name})
