"""One requirement: PEP 508, a bare address, or a path; with help for the mistakes people make."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.words import Origin, Written

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_ADDRESS = re.compile(r"^(git|hg|svn|bzr)\+|^[A-Za-z][A-Za-z0-9+.-]*://|^file:")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz")


def parse_requirement(
    text: str, origin: Origin, *, hashes: tuple[str, ...] = (), editable: bool = False
) -> Written:
    """Read one requirement as its author wrote it.

    Raises:
        InputError: no installer could read it; the hint says what was probably meant.
    """
    stripped = text.strip()
    if editable or _is_address(stripped):
        return _from_address(stripped, origin, hashes, editable)
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(stripped)
    except InvalidRequirement as error:
        if _is_path(stripped):
            return _from_address(stripped, origin, hashes, editable)
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{stripped!r} is no requirement: {_sentence(reason)}",
            path=origin.path,
            line=origin.line,
            hint=_hint(stripped, origin),
        ) from error
    if origin.path is None and _names_a_file(stripped):
        raise InputError(f"{stripped!r} is a file, not a requirement", hint=f"did you mean -r {stripped}?")
    return Written(requirement, origin, url=requirement.url, hashes=hashes)


def _sentence(reason: str) -> str:
    return reason[:1].lower() + reason[1:]


def _is_address(text: str) -> bool:
    return (
        bool(_ADDRESS.match(text))
        or text.startswith(("./", "../", "/", "~/", ".\\", "..\\"))
        or text in (".", "..")
    )


def _is_path(text: str) -> bool:
    bare = re.sub(r"\[[^\]]*\]$", "", text.partition(" ;")[0]).lower()
    return bare.endswith(_ARCHIVES) or (os.sep in bare and Path(bare).exists())


def _names_a_file(text: str) -> bool:
    return text.endswith((".txt", ".in", ".toml", ".cfg")) and Path(text).is_file()


def _from_address(text: str, origin: Origin, hashes: tuple[str, ...], editable: bool) -> Written:
    """An address or path, with the requirement it comes to where the text itself names the project."""
    address, _, marker = text.partition(" ;")
    name = _name_in(address.strip())
    requirement = _named(name, marker, address, origin) if name else None
    return Written(requirement, origin, url=address.strip(), editable=editable, hashes=hashes)


def _named(name: str, marker: str, address: str, origin: Origin) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(f"{name} ;{marker}" if marker.strip() else name)
    except InvalidRequirement as error:
        raise InputError(
            f"{address!r}: {_sentence(str(error).splitlines()[0])}", path=origin.path, line=origin.line
        ) from error


def _name_in(address: str) -> str | None:
    """The project's name, from ``#egg=`` or the name of a wheel."""
    egg = re.search(r"[#&]egg=([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?)", address)
    if egg:
        return egg[1]
    filename = re.split(r"[/\\]", address.partition("#")[0].partition("?")[0])[-1]
    if filename.lower().endswith(".whl"):
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            return str(parse_wheel_filename(filename)[0])
        except (InvalidWheelFilename, ValueError):
            return None
    return None


def _hint(text: str, origin: Origin) -> str | None:
    """What was probably meant."""
    if re.search(r"[\u2018\u2019\u201c\u201d\u00ab\u00bb]", text):
        return "these are typographic quotes; use plain ones"
    single = re.match(r"^([\w.-]+)\s*=\s*([\w.*]+)$", text)
    if single:
        return f"a pin takes two equals signs: {single[1]}=={single[2]}"
    if re.match(r"^(import|from)\s", text):
        return "this is Python code; a requirements file lists projects"
    if re.match(r"^(pip|conda|python)\s", text):
        return "this is a command; a requirements file lists projects only"
    if re.search(r"[\d*]\s+[<>=!~]", text):
        return "clauses are separated by commas: torch>=2.0,<3"
    if origin.path is None and re.search(r"[/\\]|\.(txt|in|toml)$", text):
        return f"to read a file: -r {text}"
    if re.match(r"^[\w.-]+\s+\d", text):
        return "a version needs an operator: torch==2.3.1"
    return None
