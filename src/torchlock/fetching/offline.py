"""A lock that installs from the folder of its files: the same pins and hashes, and no address of a server."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.manifests.syntax.lock_markers import names_of
from torchlock.redaction import one_line
from torchlock.standards.filenames import file_name
from torchlock.standards.toml_text import key, pairs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torchlock.fetching.locked import LockedPackage
    from torchlock.fetching.locks import LockFile
    from torchlock.index.download import Wanted

_TOOLS = ("uv.lock", "poetry.lock", "pdm.lock")
# The beginning of each lock of torchlock: -o of lock may replace such a file.
_MADE = f"# This file was made by torchlock {__version__}"


def offline_name(lock: LockFile) -> str:
    """The name of the lock in the folder: requirements-offline.txt, pylock.offline.toml."""
    name = PurePath(lock.path).name if lock.path != "-" else "requirements.txt"
    if lock.kind in _TOOLS:
        return f"pylock.{lock.kind.partition('.')[0]}-offline.toml"
    if lock.kind == "pylock":
        middle = re.fullmatch(r"pylock(?:\.([^.]+))?\.toml", name)
        return f"pylock.{middle[1]}-offline.toml" if middle and middle[1] else "pylock.offline.toml"
    stem = PurePath(name).stem if name.endswith((".txt", ".lock", ".in")) else name
    return f"{stem}-offline.txt"


def offline_lock(lock: LockFile, brought: Mapping[int, Sequence[Wanted]], left_out: Collection[int]) -> str:
    """The text of the lock for the folder.

    ``brought`` are the files that the folder has, by the number of the package in the lock; ``left_out`` are the
    packages that no target needs.
    """
    hashes = {number: {each for file in files for each in file.hashes} for number, files in brought.items()}
    if lock.kind == "pylock":
        return _pylock(lock, hashes, left_out)
    if lock.kind in _TOOLS:
        return _of_tool(lock, brought, left_out)
    lines = [
        _head(lock),
        "--no-index",
        "--find-links .",
        "",
    ]
    for package in lock.packages:
        if package.number not in left_out:
            lines += _entry(package, hashes.get(package.number, ()))
    return "\n".join(lines) + "\n"


def _entry(package: LockedPackage, hashes: Collection[str]) -> Iterator[str]:
    extras = f"[{','.join(package.extras)}]" if package.extras else ""
    marker = f" ; {package.marker}" if package.marker else ""
    parts = [
        f"{package.name}{extras}=={package.version}{marker}",
        *(f"    --hash={each}" for each in sorted(hashes)),
    ]
    yield from (f"{part} \\" for part in parts[:-1])
    yield parts[-1]


def _pylock(lock: LockFile, brought: Mapping[int, Collection[str]], left_out: Collection[int]) -> str:
    """The same document with paths instead of addresses, and without the files that are not there."""
    from torchlock.manifests.syntax.toml_values import loads

    document = loads(lock.text)
    packages = []
    for number, package in enumerate(document.get("packages", ())):
        if number in left_out:
            continue
        if number in brought:
            package = _with_paths(package, brought[number])
        packages.append(package)
    plain = {key: value for key, value in document.items() if not isinstance(value, dict) and key != "packages"}
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    lines = [_head(lock), *pairs(plain)]
    for package in packages:
        lines += ["", "[[packages]]", *pairs(package)]
    for name, table in tables.items():
        lines += ["", f"[{key(name)}]", *pairs(table)]
    return "\n".join(lines) + "\n"


def _of_tool(lock: LockFile, brought: Mapping[int, Sequence[Wanted]], left_out: Collection[int]) -> str:
    """A pylock.toml with the packages of another tool's lock: an installer takes the parts that are named."""
    top: dict[str, Any] = {"lock-version": "1.0"}
    if lock.requires_python:
        top["requires-python"] = lock.requires_python
    top["extras"], top["dependency-groups"] = names_of("extra", lock.scopes), names_of("group", lock.scopes)
    lines = [_head(lock), *pairs({**top, "created-by": "torchlock"})]
    for package in lock.packages:
        files = brought.get(package.number, ())
        if package.number not in left_out and files:
            lines += ["", "[[packages]]", *pairs(_tool_package(package, files))]
    return "\n".join(lines) + "\n"


def _tool_package(package: LockedPackage, files: Sequence[Wanted]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": package.name}
    if package.version:
        found["version"] = package.version
    if package.marker:
        found["marker"] = package.marker
    for file in sorted(files, key=lambda each: each.filename):
        hashes = dict(each.split(":", 1) for each in file.hashes)
        row = {"name": file.filename, "path": file.filename, "hashes": hashes}
        if file.filename.endswith(".whl"):
            found.setdefault("wheels", []).append(row)
        else:
            found["sdist"] = row
    return found


def _with_paths(package: Mapping[str, Any], hashes: Collection[str]) -> dict[str, Any]:
    """A package with the paths of those of its files that are there."""

    def placed(file: Mapping[str, Any]) -> dict[str, Any]:
        name = file.get("name") or file_name(str(file.get("url") or file.get("path") or ""))
        return {**{key: value for key, value in file.items() if key not in ("url", "path")}, "path": name}

    def is_there(file: Mapping[str, Any]) -> bool:
        return any(f"{name}:{digest}".lower() in hashes for name, digest in file.get("hashes", {}).items())

    found = dict(package)
    for kind in ("sdist", "archive"):
        if kind in found:
            if is_there(found[kind]):
                found[kind] = placed(found[kind])
            else:
                del found[kind]
    if "wheels" in found:
        found["wheels"] = [placed(wheel) for wheel in found["wheels"] if is_there(wheel)]
        if not found["wheels"]:
            del found["wheels"]
    return found


def _head(lock: LockFile) -> str:
    """The first line, by which torchlock knows its own locks."""
    name = one_line(PurePath(lock.path).name)
    return f"{_MADE} from {name}; it installs the files of this folder, without a network"
