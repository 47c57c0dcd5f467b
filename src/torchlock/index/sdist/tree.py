"""Read a source tree in a folder: the files that may state requirements, and the project's name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.index.sdist.archive import may_be_list, may_state
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.index.sdist.archive import Files

_LONGEST = 16 << 20
_LONGEST_LIST = 256 << 10
_ALL = 64 << 20
# Folders without sources.
_ASIDE = frozenset({"node_modules", "build", "dist", "__pycache__"})


def tree_files(folder: Path) -> Files:
    """The files of a source tree that may state requirements, in the folder and two levels below."""
    found: Files = {}
    total = 0
    for root, folders, names in os.walk(folder):
        here = Path(root).relative_to(folder)
        deep = len(here.parts) >= 2
        folders[:] = [] if deep else sorted(n for n in folders if n not in _ASIDE and not n.startswith("."))
        for name in sorted(names):
            path = (here / name).as_posix()
            if not may_state(path):
                continue
            longest = _LONGEST_LIST if may_be_list(path) else _LONGEST
            try:
                content = files.read(str(folder / path), longest + 1)
            except OSError:
                continue
            if len(content) <= longest:
                found[path] = content
                total += len(content)
            if total > _ALL:
                return found
    return found


def project_of_tree(files: Files) -> tuple[str | None, str]:
    """The name and the version in pyproject.toml; None and "" if it has none."""
    from torchlock.manifests.syntax.toml_values import parse_toml

    try:
        table = parse_toml(files.get("pyproject.toml", b""), "pyproject.toml").get("project", {})
    except InputError:
        return None, ""
    if not isinstance(table, dict):
        return None, ""
    name, version = table.get("name"), table.get("version")
    return name if isinstance(name, str) else None, version if isinstance(version, str) else ""
