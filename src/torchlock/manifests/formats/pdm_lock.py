"""pdm.lock, lock versions 2 to 4.5."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torchlock.knowledge.indexes import BUILDS, classify_index
from torchlock.location import Place
from torchlock.manifests.document import Document
from torchlock.manifests.syntax.toml_blocks import cut, tables
from torchlock.target import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.toml_blocks import Block, Lock

_PYTHON = re.compile(r'^requires_python *= *"([^"\n]*)"', re.MULTILINE)
_GROUPS = re.compile(r"^groups *= *\[([^\[\]]*)\]", re.MULTILINE)
_EXTRAS = re.compile(r"^extras *= *\[", re.MULTILINE)
_PLATFORM = re.compile(r"(?:many)?(linux|macos|windows|alpine|musllinux)(?:_[\d_]*?\d)??(?:_([a-z]\w+))?")
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


def read(text: str, path: str, *, whole: bool = False) -> Document:
    """Read a lock that pdm wrote, as a text with its line ends; ``whole``: with the files of all packages."""
    document = Document(path, "pdm.lock", text, locked=True)
    lock = cut(text, path, whole=whole)
    document.issues += lock.issues
    metadata = lock.table("metadata", "metadata.targets").get("metadata", {})
    targets = tables(metadata.get("targets"))
    _declared(document, [metadata, *targets] if targets else [metadata])
    known: set[tuple[str, str]] = set()
    for block in lock.packages:
        # The same package again, with the requirements of its extras.
        if not (_EXTRAS.search(block.text) and (block.name, block.version) in known):
            known.add((block.name, block.version))
            document.entries += _entries(block, lock, path)
    return document


def _declared(document: Document, targets: list[dict[str, Any]]) -> None:
    """Python and platforms, if all targets have the same Python and each names a platform."""
    pythons = {python for target in targets if isinstance(python := target.get("requires_python"), str)}
    match = _PYTHON.search(document.text, max(document.text.find("[metadata"), 0))
    if len(pythons) == 1 and match:
        document.python = pythons.pop()
        document.python_place = Place(document.text.count("\n", 0, match.start()) + 1)
    targets = targets[1:]
    found = [_platforms(target.get("platform")) for target in targets]
    if found and all(found):
        document.platforms = tuple(name for name in PLATFORMS if any(name in names for names in found))
        document.platforms = () if document.platforms == PLATFORMS else document.platforms


def _platforms(platform: object) -> tuple[str, ...]:
    """The platforms for pdm's ``linux``, ``windows_amd64``, ``macos_14_0_arm64`` and the like."""
    match = _PLATFORM.fullmatch(str(platform))
    if not match:
        return ()
    system = {"alpine": "linux", "musllinux": "linux"}.get(match[1], match[1])
    machine = (match[2] or "").lower()
    if system == "linux":
        machine = _MACHINES.get(machine, machine)
    return tuple(name for name in PLATFORMS if name.startswith(system) and name.endswith(machine))


def _entries(block: Block, lock: Lock, path: str) -> Iterator[Entry]:
    scopes = _scopes(block.text)
    if not block.of_interest:
        for scope in scopes:
            yield block.entry(path, scope=scope)
        return
    files = block.files if "files = [" in block.text else lock.old_files.get(f"{block.name} {block.version}", {})
    more: dict[str, Any] = {
        **files,
        "marker": block.get("marker"),
        "url": _url(block.table),
        "index": _page(files),
    }
    for scope in scopes:
        yield block.entry(path, scope=scope, **more)


def _scopes(text: str) -> list[str]:
    groups = _GROUPS.search(text)
    names = re.findall(r'"([^"]*)"', groups[1]) if groups else []
    return [""] if "default" in names or not names else [f"group:{name}" for name in names]


def _page(files: dict[str, Any]) -> str | None:
    """The page of builds that the files of a package come from; pdm records their addresses, not their index."""
    pages = {written.rpartition("/")[0] for written, _ in files.get("file_hashes", ())}
    page = pages.pop() if len(pages) == 1 else ""
    return page if classify_index(page).kind == BUILDS else None


def _url(table: dict[str, Any]) -> str | None:
    if isinstance(git := table.get("git"), str):
        revision = table.get("revision")
        return f"git+{git}@{revision}" if revision else f"git+{git}"
    found = table.get("url") or table.get("path")
    return found if isinstance(found, str) else None
