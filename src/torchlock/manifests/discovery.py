"""Finds the files of a folder that audit reads."""

from __future__ import annotations

import os
import re
from pathlib import Path

from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.detection import (
    SPACE,
    is_text_document,
    kind_by_name,
    may_be_space,
    may_hold_requirements,
    unread_by_name,
)
from torchlock.patterns import pattern
from torchlock.records import NamedTuple

_SKIPPED = {
    *("node_modules", "site-packages", "dist-packages", "__pycache__", "__pypackages__", "conda-meta", "pkgs"),
    *(".git", ".hg", ".svn", ".tox", ".nox", ".venv", ".eggs", ".direnv", ".cache", ".pixi", ".ipynb_checkpoints"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".idea", ".vscode"),
}
_LIST = pattern(r"(?:\A|[_.-])(?:requirements?|constraints?|reqs)[_.-]", re.IGNORECASE)
_ANY_LIST = (".txt", ".in", ".pip")
# Formats that are read only if one of their commands installs something.
_COMMANDS = {"shell", "batch", "powershell", "make", "workflow", "notebook", "devcontainer", "jenkins"}
_INSTALLS = pattern(
    rb"\b(?:pip[\d.]*(?:\.exe)?\)? install|uv (?:add|pip|run|tool)|uvx|pipx|(?:pixi|poetry|pdm|rye) add"
    rb"|pipenv install|(?:conda|mamba|micromamba) (?:install|create|env))\b|PIP\)? install\b"
)
_STACK = pattern(rb"\b(?:%s)\b" % "|".join(sorted(FAMILY | {"pytorch"})).encode())
_SCRIPTS = (".py", ".pyw")
# Words with which a file states its format.
_SAYS = pattern(
    rb"^(?:# /// script[ \t]*|@EXPLICIT[ \t]*)\r?$|\bmodal\.Image\b|\.(?:uv_)?pip_install\(", re.MULTILINE
)
# A text without any of these words has no requirements that a rule is about.
_PINS = pattern(
    rb"^[ \t]*(?:torch\w*[ \t]*(?:[=<>~!]=|$)|[\w.-]+(?:\[[\w,-]+\])?[ \t]*[=<>~!]=[ \t]*\d)", re.MULTILINE
)
_SNIFFED = 20_000
_BEGINNING = 8_000
_LONGEST = 5_000_000
_HERE = f".{os.sep}"


class Found(NamedTuple):
    """The files of a folder: those with requirements, and those in other formats that may have some."""

    files: list[str]
    unread: list[str]


def find_files(folder: str, recursive: bool) -> list[str]:
    """The files in a folder that list requirements; see ``search``."""
    return search(folder, recursive).files


def search(folder: str, recursive: bool, *, docs: bool = False) -> Found:
    """The files in a folder that list requirements, sorted; with those of its subfolders if ``recursive``.

    With ``docs``, also texts with install commands: Markdown and reStructuredText.

    Folders of version control, of environments and of tools are skipped. An unreadable folder counts as empty.
    """
    found = Found([], [])
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        name = Path(here).resolve().name
        for item in _items(here):
            path = item.path.removeprefix(_HERE) if folder == "." else item.path
            if item.is_dir(follow_symlinks=False):
                if recursive and not _is_skipped(item):
                    waiting.append(path)
            elif not _is_file(item):
                continue
            elif _is_wanted(item, name) or (docs and _is_guide(item)):
                found.files.append(path)
            elif may_hold_requirements(item.path) and _names_packages(item):
                found.unread.append(path)
    return Found(sorted(found.files), sorted(found.unread))


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


def _is_file(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_file()
    except OSError:  # A link that leads to itself.
        return False


def _is_wanted(item: os.DirEntry[str], folder: str) -> bool:
    """Whether to read a file: by its name, else by its content."""
    name = item.name.lower()
    if may_be_space(name):
        return SPACE.search(_head(item, _BEGINNING).decode("utf-8", "replace")) is not None
    if unread_by_name(name):
        return False
    kind = kind_by_name(item.path)
    if kind == "pre-commit":
        return b"additional_dependencies" in _head(item)
    if kind == "conda-recipe":
        head = _head(item)
        return b"requirements:" in head and _STACK.search(head) is not None
    if kind in _COMMANDS:
        return _INSTALLS.search(_head(item, _LONGEST if kind == "notebook" else _SNIFFED)) is not None
    if kind is not None or (name.endswith(_ANY_LIST) and _LIST.search(name)):
        return True
    if name.endswith(_SCRIPTS):
        return _SAYS.search(_head(item, _BEGINNING)) is not None
    if not name.endswith(_ANY_LIST):
        return False
    head = _head(item)
    return _is_folder_of_lists(folder) or _SAYS.search(head) is not None or _is_list(head)


def _is_guide(item: os.DirEntry[str]) -> bool:
    """Whether a text for readers has install commands."""
    return is_text_document(item.name) and _INSTALLS.search(_head(item, _LONGEST)) is not None


def _names_packages(item: os.DirEntry[str]) -> bool:
    """Whether a file in another format names packages of this stack, or installs some."""
    head = _head(item)
    return _INSTALLS.search(head) is not None or _STACK.search(head) is not None


def _is_folder_of_lists(name: str) -> bool:
    return re.fullmatch(r"requirements?|reqs|constraints?", name.lower()) is not None


def _is_list(head: bytes) -> bool:
    """Whether all lines could be requirements, and one has a version or names torch."""
    if not _PINS.search(head) or b"\0" in head:
        return False
    from torchlock.manifests.formats.requirements_txt import read

    text = head.decode("utf-8", "replace")
    lines = text[: text.rfind("\n")] if len(head) == _SNIFFED else text
    return not any(issue.severity == "error" for issue in read(lines, "-").issues)


def _head(item: os.DirEntry[str], size: int = _SNIFFED) -> bytes:
    """The beginning of a file; of UTF-16 only the ASCII bytes."""
    try:
        with Path(item.path).open("rb") as file:
            head = file.read(size)
    except OSError:
        return b""
    return head.replace(b"\0", b"") if head.startswith((b"\xff\xfe", b"\xfe\xff")) else head
