"""The workspace that a project of uv belongs to, and the folders of its members."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path

from torchlock.errors import InputError
from torchlock.manifests.decoding import decode_utf8
from torchlock.manifests.text import read_bytes
from torchlock.manifests.toml_builder import TomlBuilder
from torchlock.standards.names import normalise

_WORKSPACE = ("tool", "uv", "workspace")


def workspace_of(builder: TomlBuilder) -> TomlBuilder | None:
    """The workspace that contains a project; its sources also apply to its members."""
    if builder.document.kind != "pyproject" or builder.path == "-":
        return None
    folder = Path(builder.path).absolute().parent
    for parent in folder.parents:
        file = parent / "pyproject.toml"
        if file.is_file() and b"tool.uv.workspace" in (raw := read_bytes(str(file))):
            root = TomlBuilder(decode_utf8(raw, str(file)), str(file), "pyproject")
            return root if _is_member(root, folder.relative_to(parent).as_posix()) else None
    return None


def _is_member(root: TomlBuilder, folder: str) -> bool:
    members, excluded = (
        any(fnmatchcase(folder, each.removeprefix("./").rstrip("/")) for each, _ in root.strings(*_WORKSPACE, key))
        for key in ("members", "exclude")
    )
    return members and not excluded


class Workspace:
    """What the files of a workspace share: ``urls``, the indexes by name, and the folders of the members.

    ``root`` is the file that declares the workspace.
    """

    def __init__(self, root: TomlBuilder) -> None:
        self._root = root
        self.urls: dict[str, str] = {}
        self.faults: list[str] = []

    @cached_property
    def members(self) -> dict[str, Path]:
        """The folders of the members by name, each file read once; ``faults`` are the patterns' errors."""
        found: dict[str, Path] = {}
        for pattern, _ in self._root.strings(*_WORKSPACE, "members"):
            for file in self._matching(f"{pattern.strip('/') or '.'}/pyproject.toml"):
                found.setdefault(normalise(_name_in(file)), file.parent)
        return found

    def _matching(self, pattern: str) -> list[Path]:
        try:
            return sorted(Path(self._root.path).parent.glob(pattern))
        except (ValueError, NotImplementedError, OSError) as error:  # NotImplementedError: a drive of Windows
            self.faults.append(str(error))
            return []


def _name_in(file: Path) -> str:
    """The name of the project in a pyproject.toml, "" if it cannot be read."""
    try:
        return _name_of(read_bytes(str(file)))
    except InputError:
        return ""


@lru_cache(maxsize=2048)
def _name_of(raw: bytes) -> str:
    """The name in the content of a pyproject.toml: every file of a workspace asks for those of all members.

    Raises:
        InputError: it is not text.
    """
    from torchlock.manifests.syntax.toml import Tree

    return Tree(decode_utf8(raw, ""), "").string("project", "name")
