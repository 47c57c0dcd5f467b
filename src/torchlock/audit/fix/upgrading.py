"""Move the lines of an input to another release: which lines have to change, and what to write there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry

# A version with one operator of poetry, as it is written.
_POETRY = pattern(r"\s*([\^~])\s*([\d.]+)\s*")


def admits(entry: Entry, version: str) -> bool:
    """Whether a line allows a release. The label of a build counts only if both have one."""
    try:
        found, asked = Version(version), SpecifierSet(entry.specifier)
    except (InvalidVersion, InvalidSpecifier):
        return False
    labelled = "+" in entry.specifier and found.local is not None
    return asked.contains(found if labelled else found.public, prereleases=True) or (
        not labelled and "+" in entry.specifier and found.public in re.findall(r"==\s*([\d.]+)\+", entry.specifier)
    )


def moved(document: Document, entry: Entry, version: str) -> str:
    """The specifier for a line that shall allow ``version``, in the style of the line.

    A pin stays a pin, with its label of a build; a bound stays a bound, and only the bounds that exclude the
    release move; ``~=``, ``^``, ``~`` and ``==2.8.*`` keep their number of components.
    """
    base, _, label = version.partition("+")
    own = entry.specifier.strip()
    written = document.text[entry.version.start : entry.version.end] if entry.version is not None else ""
    if entry.style == "poetry" and (match := _POETRY.fullmatch(written)):
        return f"{match[1]}{_cut(base, match[2].count('.') + 1)}"
    clauses = [clause.strip() for clause in own.split(",") if clause.strip()]
    if entry.style == "conda" and len(clauses) == 1 and clauses[0].endswith(".*"):  # =2.8.0 is written without it
        return f"=={_cut(base, clauses[0].count('.'))}"
    if len(clauses) == 1 and (single := _single(clauses[0], base, label)):
        return single
    made = ",".join(_bound(clause, base) for clause in clauses)
    try:
        good = bool(made) and SpecifierSet(made).contains(base, prereleases=True)
    except InvalidSpecifier:
        good = False
    return made if good else f"=={version}"


def _single(clause: str, version: str, label: str) -> str:
    """The new form of a line with one clause; "" if this clause is a bound."""
    if match := re.fullmatch(r"==\s*([\d.]+)\.\*", clause):
        return f"=={_cut(version, match[1].count('.') + 1)}.*"
    if match := re.fullmatch(r"~=\s*([\d.]+)", clause):
        return f"~={_cut(version, match[1].count('.') + 1)}"
    if match := re.fullmatch(r"(===?)\s*[^\s+]+(\+[\w.-]+)?", clause):
        label = label or (match[2] or "+")[1:]
        return f"{match[1]}{version}{f'+{label}' if label else ''}"
    return ""


def _bound(clause: str, version: str) -> str:
    """A clause that allows the version: unchanged if it does, else the bound moved to it."""
    match = re.fullmatch(r"(<=|>=|<|>|~=|===?|!=)\s*([\w.+!*-]+)", clause)
    if match is None or SpecifierSet(clause).contains(version, prereleases=True):
        return clause
    operator, bound = match.groups()
    if operator == "<":
        parts = _cut(version, bound.count(".") + 1).split(".")
        last = len(parts) - 1
        while last > 0 and bound.split(".")[last] == "0":  # <3.0 becomes <4.0
            last -= 1
        parts[last:] = [str(int(parts[last]) + 1), *("0" for _ in parts[last + 1 :])]
        return f"<{'.'.join(parts)}"
    if operator in ("<=", ">="):
        return f"{operator}{version}"
    return f">={version}" if operator == ">" else clause


def _cut(version: str, count: int) -> str:
    """The first components of a version: 2.9 for 2.9.1; more zeros if it has fewer."""
    parts = re.match(r"[\d.]*\d", version)
    numbers = (parts[0] if parts else version).split(".")
    return ".".join([*numbers, *["0"] * (count - len(numbers))][:count])
