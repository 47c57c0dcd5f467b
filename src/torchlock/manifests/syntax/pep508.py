"""PEP 508 requirements taken apart without delay: one pattern for the ordinary ones, packaging for the rest."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from torchlock.answers import Unknown
from torchlock.standards import markers
from torchlock.standards.filenames import file_name, parse_wheel
from torchlock.standards.names import normalise
from torchlock.standards.versions import CLAUSE, WILD, fault_of_specifier

NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRA = rf"[ ]*{NAME}[ ]*"
ORDINARY = (
    rf"(?P<name>{NAME})(?:\[(?P<extras>{_EXTRA}(?:,{_EXTRA})*)\])?"
    rf"(?:[ ]*(?P<versions>{CLAUSE}(?:[ ]*,[ ]*{CLAUSE})*))?"
)
"""A requirement without marker: its name, its extras, and its version specifiers, as groups."""
# (packaging lets a name end with an underscore.)
HEAD = re.compile(
    r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?)(?:\s*\[(?P<extras>[^\]]*)\])?", re.ASCII
)
"""The name and extras that a requirement begins with."""

# Names that pip takes for files.
_FILES = (
    *(".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", ".gz", ".bz2", ".xz", ".lz", ".lzma"),
    *(".txt", ".in"),
)


_WHOLE = re.compile(rf"[ ]*{ORDINARY}[ ]*(?P<marker>;.*)?")


class Asked(NamedTuple):
    """One requirement. ``versions`` is where the specifier stands in its text, None for an address.

    ``name`` and ``extras`` are normalised; ``specifier`` and ``marker`` are "" where there are none.
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
    """The marker without odd spaces, None if it is not valid or has no value."""
    text = text.strip()
    if markers.is_ordinary(text):
        return text
    marker = markers.parsed(text)
    return None if isinstance(marker, Unknown) or markers.fault_of(text) else str(marker)


def ask_quickly(text: str) -> Asked | None:
    """Take an ordinary requirement apart; None if it is none, or out of the ordinary."""
    match = _WHOLE.fullmatch(text)
    if match is None or not is_plain(match["name"], match["versions"] or ""):
        return None
    marker = marker_of(match["marker"][1:]) if match["marker"] else ""
    if marker is None:
        return None
    versions = match.span("versions") if match["versions"] else (behind(match), behind(match))
    extras = extras_of(match["extras"]) if match["extras"] else ()
    return Asked(normalise(match["name"]), extras, (match["versions"] or "").replace(" ", ""), marker, versions)


def behind(match: re.Match[str]) -> int:
    """Where the name and the extras end."""
    return match.end("extras") + 1 if match["extras"] else match.end("name")


def is_plain(name: str, versions: str) -> bool:
    """Whether what ``ORDINARY`` has found is what it seems: no file, no wildcard out of place."""
    return not (
        ("." in name and not versions and name.lower().endswith(_FILES))
        or (versions.endswith("*") and WILD.search(versions))
        or ("*," in versions or "* ," in versions)
    )


@lru_cache(maxsize=4096)
def ask(text: str) -> Asked | None:
    """Take a requirement apart; None if it is none. Addresses in place of a name are none either."""
    from packaging.requirements import Requirement

    try:
        requirement = Requirement(text)
        specifier = str(requirement.specifier)
    except (ValueError, SyntaxError, RecursionError):
        return None
    if fault_of_specifier(specifier) or markers.fault_of(str(requirement.marker or "")):
        return None
    return Asked(
        normalise(requirement.name),
        tuple(sorted(map(normalise, requirement.extras))),
        specifier,
        str(requirement.marker or ""),
        specifier_span(text) if requirement.url is None else None,
        requirement.url,
    )


def ask_anyhow(text: str) -> Asked | None:
    """Take a requirement apart, ordinary or not; None if it is none."""
    return ask_quickly(text) or ask(text)


def specifier_span(text: str) -> tuple[int, int]:
    """Where the versions of a requirement stand, right or wrong; an empty stretch behind the name for none."""
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
    """The normalised name and the version that an address ends with, if it is that of a wheel."""
    filename = file_name(address)
    if not filename.lower().endswith(".whl"):
        return None
    try:
        name, version, _ = parse_wheel(filename)
    except ValueError:
        return None
    return name, str(version)
