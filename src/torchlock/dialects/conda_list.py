"""Lists that ``conda list --export`` writes, for ``conda create --file``: ``name=version=build``, a line each."""

from __future__ import annotations

import re

from torchlock.dialects.pep508 import normalised
from torchlock.document import Document, Entry, Place, Problem, Span
from torchlock.words import FAMILY

_HEADER = "# This file may be used to create an environment using"
_PLATFORM = re.compile(r"^# platform: (\S+)", re.MULTILINE)
_PLATFORMS = {
    "linux-64": "linux-x86_64",
    "linux-aarch64": "linux-aarch64",
    "osx-64": "macos-x86_64",
    "osx-arm64": "macos-arm64",
    "win-64": "windows-amd64",
    "win-arm64": "windows-arm64",
}
_ROW = re.compile(
    r"[ \t]*(?:(?P<channel>[\w./-]+)::)?(?P<name>\w[\w.-]*)"
    r"(?P<versions>(?P<operator>=|==|>=|<=|!=|>|<|~=)(?P<version>[^\s=;#,@|]+)(?:=(?P<build>[^\s=;#@]+))?)?"
    r"[ \t]*(?P<comment>\#.*)?"
)
# A final, pre or development release as PEP 440 has them; conda knows others.
_PEP440 = re.compile(r"(?:\d+!)?\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.?post\d+)?(?:\.?dev\d+)?(?:\+[\w.]+)?")


def is_conda_list(text: str) -> bool:
    """Whether all lines are conda's, and some of them could be nobody else's."""
    rows = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "@EXPLICIT"))
    ]
    found = [match for match in map(_ROW.fullmatch, map(str.rstrip, rows)) if match]
    if len(found) < len(rows):
        return False
    single = sum(match["operator"] == "=" for match in found)
    return _HEADER in text or any(match["build"] for match in found) or single * 2 > len(found)


def read(text: str, path: str) -> Document:
    """Read a list that conda made."""
    document = Document(path=path, kind="requirements", text=text)
    platform = _PLATFORM.search(text)
    if platform and platform[1] in _PLATFORMS:
        document.platforms = (_PLATFORMS[platform[1]],)
    foreign: list[tuple[bool, int]] = []
    for number, offset, line in _lines(text):
        row = _ROW.fullmatch(line)
        if row and not line.lstrip().startswith(("#", "@EXPLICIT")):
            _add(document, row, number, offset)
            if row["build"] and row["build"].startswith("pypi"):
                foreign.append((normalised(row["name"]) not in FAMILY, number))
    if foreign:
        document.problems.append(_foreign(foreign))
    return document


def _lines(text: str) -> list[tuple[int, int, str]]:
    found, offset = [], 0
    for number, line in enumerate(re.split(r"(?<=\n)|(?<=\r)(?!\n)", text), 1):
        found.append((number, offset, line.rstrip()))
        offset += len(line)
    return found


def _add(document: Document, row: re.Match[str], number: int, offset: int) -> None:
    name = normalised(row["name"])
    place = Place(number, row.start("name") + 1)
    if name == "python":
        document.python = document.python or _python(row["version"] or "")
        document.python_place = place
        return
    start, end = row.span("versions") if row["versions"] else (row.end("name"), row.end("name"))
    from_pip = (row["build"] or "").startswith("pypi")
    document.entries.append(
        Entry(
            name="torch" if name == "pytorch" and not from_pip else name,
            specifier=_specifier(row),
            place=place,
            text=row[0][: row.start("comment") if row["comment"] else None].strip(),
            path=document.path,
            version=Span(offset + start, offset + end),
            style="conda",
            channel="pip" if from_pip else "conda",
        )
    )


def _specifier(row: re.Match[str]) -> str:
    """PEP 440's words for what conda allows; "" for versions that PEP 440 has no words for."""
    operator, version, build = row.group("operator", "version", "build")
    if not version:
        return ""
    bare = version.removesuffix("*").removesuffix(".")
    if not _PEP440.fullmatch(bare):
        return ""
    if operator == "=" and not build:
        return f"=={bare}.*" if re.fullmatch(r"[\d.]+", bare) else f"=={bare}"
    if bare != version:
        return (
            f"{'!=' if operator == '!=' else '=='}{bare}.*"
            if operator in ("=", "==", "!=")
            else f"{operator}{bare}"
        )
    return f"=={bare}" if operator == "=" else f"{operator}{bare}"


def _python(version: str) -> str:
    match = re.match(r"(\d+\.\d+)", version)
    return f"=={match[1]}.*" if match else ""


def _foreign(lines: list[tuple[bool, int]]) -> Problem:
    """One problem for all of pip's packages, at the first of torch's family or else the first of all."""
    others = f"this and {len(lines) - 1} more packages came" if len(lines) > 1 else "this package came"
    message = f"{others} from pip, and conda has no build pypi_0: conda cannot install this list"
    because = (
        "conda writes the build pypi_0 for what pip has installed; pip in turn cannot read name=version=build"
    )
    remedy = "Make the list anew with conda env export, which keeps the packages of pip apart."
    return Problem("TL505", "error", message, Place(min(lines)[1], 1), because, remedy)
