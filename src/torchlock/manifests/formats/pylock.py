"""pylock.toml (PEP 751)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.knowledge.indexes import is_public
from torchlock.location import Place
from torchlock.manifests.document import Document, ParseIssue
from torchlock.manifests.syntax.lock_markers import by_scope, excluded_by, platforms
from torchlock.manifests.syntax.toml_blocks import cut, strings, tables
from torchlock.manifests.syntax.toml_values import parse_toml
from torchlock.patterns import pattern
from torchlock.standards.filenames import file_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.toml_blocks import Block, Lock

_PYTHON = pattern(r"^requires-python *= *[\"']([^\"'\n]*)[\"']", re.MULTILINE)


def read(text: str, path: str) -> Document:
    """Read a lock of PEP 751, as a text with its line ends; of an invalid one, the packages that can be read."""
    document = Document(path, "pylock", text, locked=True)
    lock = cut(text, path, "packages")
    head = lock.table("") if lock.issues else _whole(text, path, document, lock)
    python = _PYTHON.search(lock.sections.get("", ""))
    if python:
        document.python = python[1]
        document.python_place = Place(text.count("\n", 0, text.find(python[0])) + 1)
    document.platforms = platforms(strings(head.get("environments")))
    groups = [f"group:{group}" for group in strings(head.get("default-groups"))]
    for block in lock.packages:
        document.entries += _entries(block, groups, path)
    document.issues += [issue for issue in lock.issues if issue not in document.issues]
    return document


def _whole(text: str, path: str, document: Document, lock: Lock) -> dict[str, Any]:
    """All tables, each added to its package; an issue if they are not a valid lock of PEP 751."""
    try:
        table = parse_toml(text.encode("utf-8", "surrogatepass"), path)
    except InputError as error:
        document.issues.append(ParseIssue("TL501", "error", error.message, Place(error.line or 1)))
        return lock.table("")
    packages = table.get("packages")
    if isinstance(packages, list) and len(packages) == len(lock.blocks):
        for block, package in zip(lock.blocks, packages, strict=True):
            block.table = package
    document.issues += _invalid(table, text, lock)
    return table


def _invalid(table: dict[str, Any], text: str, lock: Lock) -> list[ParseIssue]:
    from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

    try:
        Pylock.from_dict(table)
    except PylockUnsupportedVersionError as error:
        message = f"this version of the format is newer than the known ones: {_sentence(error)}"
        return [ParseIssue("TL901", "note", message, _key(text, "lock-version"))]
    except PylockValidationError as error:
        message = f"not a valid pylock (PEP 751): {_sentence(error)}"
        return [ParseIssue("TL501", "error", message, _place(text, lock, error))]
    except (ValueError, TypeError, RecursionError) as error:
        return [ParseIssue("TL501", "error", f"not a valid pylock (PEP 751): {_sentence(error)}", Place(1))]
    return []


def _place(text: str, lock: Lock, error: Any) -> Place:
    """The line that an error names: ``packages[3].wheels[0].url`` or a key of the file."""
    where = str(getattr(error, "context", "") or "")
    package = re.match(r"packages\[(\d+)\]\.?([\w-]*)", where)
    if package is None or int(package[1]) >= len(lock.blocks):
        return _key(text, re.split(r"[.\[]", where)[0])
    block = lock.blocks[int(package[1])]
    key = re.search(rf"^(?:\[+packages\.)?{re.escape(package[2])}\b", block.text, re.MULTILINE)
    return Place(block.first + block.text.count("\n", 0, key.start()) if package[2] and key else block.line)


def _key(text: str, key: str) -> Place:
    found = re.search(rf"^{re.escape(key)} *=", text, re.MULTILINE) if key else None
    return Place(text.count("\n", 0, found.start()) + 1 if found else 1)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:1].lower() + text[1:]


def _entries(block: Block, groups: list[str], path: str) -> Iterator[Entry]:
    files = [*tables([block.table.get("sdist"), block.table.get("archive")]), *tables(block.table.get("wheels"))]
    more: dict[str, Any] = {
        "hashes": tuple(
            f"{name}:{digest}"
            for file in files
            if isinstance(hashes := file.get("hashes"), dict)
            for name, digest in hashes.items()
        ),
        "filenames": tuple(filter(None, map(_file_name, files))),
        "file_hashes": tuple(
            (_written(file), f"sha256:{hashes['sha256']}")
            for file in files
            if isinstance(hashes := file.get("hashes"), dict) and "sha256" in hashes
        ),
        "url": _url(block.table),
        "index": _index(block.get("index")),
    }
    for scope, marker in by_scope(block.get("marker"), groups):
        without = excluded_by(block.get("marker"), [*groups, *(scope.split("+") if scope else ())])
        yield block.entry(path, scope=scope, marker=marker, without=without, **more)


def _file_name(file: dict[str, Any]) -> str:
    return file_name(_written(file, "name", "url", "path"))


def _written(file: dict[str, Any], *keys: str) -> str:
    """The address of a file, else its path or name; with ``keys``, the first of these."""
    found = next((file[key] for key in keys or ("url", "path", "name") if file.get(key)), "")
    return found if isinstance(found, str) else ""


def _index(address: str) -> str | None:
    return address if address and not is_public(address) else None


def _url(table: dict[str, Any]) -> str | None:
    for kind in ("vcs", "directory", "archive"):
        source = table.get(kind)
        if isinstance(source, dict):
            found = source.get("url") or source.get("path")
            prefix = f"{source.get('type')}+" if kind == "vcs" else ""
            return f"{prefix}{found}" if isinstance(found, str) else None
    return None
