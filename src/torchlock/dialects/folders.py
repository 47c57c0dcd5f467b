"""The files of a folder that an audit reads."""

from __future__ import annotations

import os
import re
from pathlib import Path

from torchlock.dialects.names import kind_by_name

_SKIPPED = {
    *("node_modules", "site-packages", "dist-packages", "__pycache__", "__pypackages__", "conda-meta", "pkgs"),
    *(".git", ".hg", ".svn", ".tox", ".nox", ".venv", ".eggs", ".direnv", ".cache", ".pixi", ".ipynb_checkpoints"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".idea", ".vscode"),
}
_LIST = re.compile(r"(?:.*[_.-])?(?:requirements?|constraints?|reqs)(?:[_.-].*)?\.(?:txt|in|pip)", re.IGNORECASE)
_ANY_LIST = (".txt", ".in", ".pip")
_INSTALLS = re.compile(rb"\b(?:pip[\d.]* install|uv (?:add|pip)|(?:conda|mamba) (?:install|create|env))\b")
# A text without any of these lists no requirements that there is something to say about.
_PINS = re.compile(
    rb"^[ \t]*(?:torch\w*[ \t]*(?:[=<>~!]=|$)|[\w.-]+(?:\[[\w,-]+\])?[ \t]*[=<>~!]=[ \t]*\d)", re.MULTILINE
)
_SNIFFED = 20_000
_HERE = f".{os.sep}"


def find_files(folder: str, recursive: bool) -> list[str]:
    """The files in a folder that list dependencies, sorted; with those of its folders if ``recursive``.

    Passed over are the folders of version control, of environments and of tools. A folder that cannot be
    read has no files.
    """
    found: list[str] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        name = Path(here).resolve().name
        for item in _items(here):
            path = item.path.removeprefix(_HERE) if folder == "." else item.path
            if item.is_dir(follow_symlinks=False):
                if recursive and not _is_skipped(item):
                    waiting.append(path)
            elif _is_wanted(item, name):
                found.append(path)
    return sorted(found)


def _items(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as items:
            return list(items)
    except OSError:
        return []


def _is_skipped(folder: os.DirEntry[str]) -> bool:
    name = folder.name
    if name in _SKIPPED or name.endswith((".egg-info", ".dist-info")):
        return True
    return Path(folder.path, "pyvenv.cfg").exists()


def _is_wanted(item: os.DirEntry[str], folder: str) -> bool:
    """By its name; where that leaves it open, by what stands in it."""
    name = item.name.lower()
    if not item.is_file():
        return False
    kind = kind_by_name(name)
    if kind == "setup.py":
        return name == "setup.py"
    if kind == "shell":
        return _INSTALLS.search(_head(item)) is not None
    if kind is not None or _LIST.fullmatch(name):
        return True
    return name.endswith(_ANY_LIST) and (_is_folder_of_lists(folder) or _is_list(_head(item)))


def _is_folder_of_lists(name: str) -> bool:
    return re.fullmatch(r"requirements?|reqs|constraints?", name.lower()) is not None


def _is_list(head: bytes) -> bool:
    """Whether all lines could be requirements, and one has a version or names torch."""
    if not _PINS.search(head) or b"\0" in head:
        return False
    from torchlock.dialects.requirements import read

    text = head.decode("utf-8", "replace")
    lines = text[: text.rfind("\n")] if len(head) == _SNIFFED else text
    return not any(problem.severity == "error" for problem in read(lines, "-").problems)


def _head(item: os.DirEntry[str]) -> bytes:
    try:
        with Path(item.path).open("rb") as file:
            return file.read(_SNIFFED)
    except OSError:
        return b""
