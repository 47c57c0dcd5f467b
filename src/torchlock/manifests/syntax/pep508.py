"""A fast parser of PEP 508 requirements: one pattern for the ordinary ones, packaging for the rest."""

from __future__ import annotations

import re
from functools import lru_cache

from torchlock.answers import Unknown
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.standards import markers
from torchlock.standards.filenames import file_name, parse_wheel
from torchlock.standards.names import normalise
from torchlock.standards.plain_requirement import match_plain
from torchlock.standards.versions import CLAUSE, WILD, fault_of_specifier

NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRA = rf"[ ]*{NAME}[ ]*"
ORDINARY = (
    rf"(?P<name>{NAME})(?:\[(?P<extras>{_EXTRA}(?:,{_EXTRA})*)\])?"
    rf"(?:[ ]*(?P<versions>{CLAUSE}(?:[ ]*,[ ]*{CLAUSE})*))?"
)
"""A requirement without marker: its name, its extras, and its version specifiers, as groups."""
# (packaging allows an underscore at the end of a name.)
HEAD = pattern(r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?)(?:\s*\[(?P<extras>[^\]]*)\])?", re.ASCII)
"""The name and extras that a requirement begins with."""

# Names that pip treats as files.
_FILES = (
    *(".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", ".gz", ".bz2", ".xz", ".lz", ".lzma"),
    *(".txt", ".in"),
)


_WHOLE = pattern(rf"[ ]*{ORDINARY}[ ]*(?P<marker>;.*)?")


class Pep508Requirement(NamedTuple):
    """One requirement.

    ``versions`` is the span of the specifier in its text, None for an address. ``name`` and ``extras`` are
    normalised; ``specifier`` and ``marker`` are "" if missing.
    """

    name: str
    extras: tuple[str, ...]
    specifier: str
    marker: str
    versions: tuple[int, int] | None
    url: str | None = None


@lru_cache(maxsize=2048)
def extras_of(text: str) -> tuple[str, ...]:
    """Extras written between brackets, normalised and sorted."""
    return tuple(sorted({normalise(extra.strip()) for extra in text.split(",") if extra.strip()}))


@lru_cache(maxsize=2048)
def marker_of(text: str) -> str | None:
    """The marker without extra spaces; None if it is invalid."""
    text = text.strip()
    if markers.is_ordinary(text):
        return text
    marker = markers.parsed(text)
    return None if isinstance(marker, Unknown) or markers.fault_of(text) else str(marker)


def parse_ordinary(text: str) -> Pep508Requirement | None:
    """Parse an ordinary requirement; None if the text is invalid or not ordinary."""
    match = match_plain(text) or _WHOLE.fullmatch(text)
    if match is None or not is_plain(match["name"], match["versions"] or ""):
        return None
    condition = match.groupdict().get("marker")
    marker = marker_of(condition[1:]) if condition else ""
    if marker is None:
        return None
    versions = match.span("versions") if match["versions"] else (behind(match), behind(match))
    extras = extras_of(match["extras"]) if match["extras"] else ()
    return Pep508Requirement(
        normalise(match["name"]), extras, (match["versions"] or "").replace(" ", ""), marker, versions
    )


def behind(match: re.Match[str]) -> int:
    """The offset behind the name and the extras."""
    return match.end("extras") + 1 if match["extras"] else match.end("name")


def is_plain(name: str, versions: str) -> bool:
    """Whether a match of ``ORDINARY`` is really a requirement: not a file name, no misplaced wildcard."""
    return not (
        ("." in name and not versions and name.lower().endswith(_FILES))
        or (versions.endswith("*") and WILD.search(versions))
        or ("*," in versions or "* ," in versions)
    )


@lru_cache(maxsize=4096)
def parse_general(text: str) -> Pep508Requirement | None:
    """Parse a requirement; None if it is invalid, or an address without a name."""
    from packaging.requirements import Requirement

    try:
        requirement = Requirement(text)
        specifier = str(requirement.specifier)
    except (ValueError, SyntaxError, RecursionError):
        return None
    if fault_of_specifier(specifier) or markers.fault_of(str(requirement.marker or "")):
        return None
    return Pep508Requirement(
        normalise(requirement.name),
        tuple(sorted(map(normalise, requirement.extras))),
        specifier,
        str(requirement.marker or ""),
        specifier_span(text) if requirement.url is None else None,
        requirement.url,
    )


def parse(text: str) -> Pep508Requirement | None:
    """Parse a requirement, ordinary or not; None if it is invalid."""
    return parse_ordinary(text) or parse_general(text)


def specifier_span(text: str) -> tuple[int, int]:
    """The span of the versions of a requirement, valid or not; an empty span behind the name if it has none."""
    head = HEAD.match(text)
    start = head.end() if head else 0
    rest = text[start:].partition(";")[0]
    bare = rest.strip()
    if bare.startswith("(") and bare.endswith(")") and len(bare) > 1:
        at = start + rest.index("(") + 1
        return _stripped(text, at, start + rest.rindex(")"))
    return _stripped(text, start, start + len(rest)) if bare else (start, start)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    inside = text[start:end]
    if not inside.strip():
        return start, start
    return start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())


def wheel_of(address: str) -> tuple[str, str] | None:
    """The normalised name and the version of the wheel at the end of an address."""
    filename = file_name(address)
    if not filename.lower().endswith(".whl"):
        return None
    try:
        name, version, _ = parse_wheel(filename)
    except ValueError:
        return None
    return name, str(version)
