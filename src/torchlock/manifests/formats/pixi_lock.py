"""pixi.lock: the packages of each environment and platform, by their addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.knowledge.stack import CONDA_NAMES
from torchlock.manifests.conda_builds import label_of
from torchlock.manifests.document import Document
from torchlock.manifests.formats.pixi_manifest import MARKERS
from torchlock.manifests.merge_conflicts import conflicts
from torchlock.manifests.syntax import conda_match_spec
from torchlock.manifests.syntax.pep508 import wheel_of
from torchlock.manifests.syntax.toml_blocks import locked_entry
from torchlock.manifests.truncation import truncated_line
from torchlock.patterns import pattern
from torchlock.standards.filenames import file_name
from torchlock.target import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Entry

_LINE = pattern(r"^(?P<indent> *)(?:- )?(?P<key>[\w.-]+): *(?P<value>[^\r\n#]*)", re.MULTILINE)
_CONDA = pattern(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+)\.(?:conda|tar\.bz2)")
_SDIST = pattern(r"(?P<name>.+)-(?P<version>\d[^-]*?)\.(?:tar\.gz|zip)")


def read(text: str, path: str) -> Document:
    """Read a lock of pixi (versions 4 to 6). Its environments are separate from each other."""
    document = Document(path, "pixi.lock", text, locked=True, issues=conflicts(text) or truncated_line(text))
    found = list(_packages(text))
    names = list(dict.fromkeys(environment for environment, *_ in found))
    subdirs = {subdir for _, subdir, *_ in found}
    pythons = set()
    for environment, subdir, kind, address, line in found:
        entry = _entry(kind, address, line, path)
        if entry is None:
            continue
        if entry.name == "python" and kind == "conda":
            pythons.add(".".join(entry.specifier.split(".")[:2]) + ".*")
        entry.scope = "" if len(names) == 1 else f"alone:{environment}"
        entry.marker = MARKERS.get(subdir, "")
        document.entries.append(entry)
    if len(pythons) == 1:
        document.python = pythons.pop()
    known = {conda_match_spec.SUBDIRS.get(subdir) for subdir in subdirs}
    document.platforms = tuple(name for name in PLATFORMS if name in known)
    return document


def _packages(text: str) -> Iterator[tuple[str, str, str, str, int]]:
    """Environment, platform, ``conda`` or ``pypi``, address and line of each package."""
    inside, environment, subdir, line, at = False, "", "", 1, 0
    for match in _LINE.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        indent, key, value = len(match["indent"]), match["key"], match["value"].strip()
        if indent == 0 and not match[0].startswith("-"):
            inside = key == "environments"
        elif inside and indent == 2 and not value:
            environment = key
        elif inside and key in conda_match_spec.SUBDIRS and not value:
            subdir = key
        elif inside and key in ("conda", "pypi") and value:
            yield environment, subdir, key, value, line


def _entry(kind: str, address: str, line: int, path: str) -> Entry | None:
    name = file_name(address)
    if kind == "conda":
        match = _CONDA.fullmatch(name)
        if match is None:
            return None
        entry = locked_entry(match["name"], match["version"], line, path, channel="conda")
        entry.name = CONDA_NAMES.get(entry.name, entry.name)
        entry.build = label_of(match["build"])
        return entry
    wheel = wheel_of(address)
    if wheel is not None:
        return locked_entry(*wheel, line, path, filenames=(name,))
    match = _SDIST.fullmatch(name)
    return locked_entry(match["name"], match["version"], line, path, filenames=(name,)) if match else None
