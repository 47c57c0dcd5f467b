"""Poetry's version constraints (``^2.1``, ``2.1.*``, ``>=2 <3``, ``^1 || ^2``) as PEP 440 and PEP 508."""

from __future__ import annotations

import re

from packaging.version import Version

from torchlock.patterns import pattern
from torchlock.standards.versions import fault_of_specifier, version_of

# As poetry-core splits them: commas, or spaces between clauses.
_BETWEEN = pattern(r"(?<!^)(?<![\^~=><!,\s])(?:\s+(?:,\s*)?|,\s*)(?![,\s]|$|-)")
_OR = pattern(r"(?<!\s)\s*\|\|?\s*")
_CLAUSE = pattern(r"(\^|~=|~(?!=)|===|==?|!=|<>|>=|<=|>|<|)\s*v?(\d[\w.!+-]*?)((?:\.[*xX])*)")
# No version and no constraint is longer.
_LONGEST, _WHOLE = 200, 4000


def specifier_of(constraint: str) -> str | None:
    """The PEP 440 specifier set of a constraint; None if poetry cannot read it.

    For alternatives (``||``), which PEP 440 cannot express, it is the range from the lowest to the highest.
    """
    if len(constraint) > _WHOLE:
        return None
    branches = [_branch(part) for part in _OR.split(constraint.strip())]
    if None in branches:
        return None
    return _hull([branch for branch in branches if branch is not None])


def python_marker(constraint: str) -> str | None:
    """A constraint on Python as a marker; None if poetry cannot read it."""
    parts = []
    if len(constraint) > _WHOLE:
        return None
    for text in _OR.split(constraint.strip()):
        branch = _branch(text)
        if branch is None:
            return None
        parts.append(" and ".join(_python(clause) for clause in branch))
    if not all(parts):
        return ""
    return parts[0] if len(parts) == 1 else " or ".join(f"({part})" for part in parts)


def _python(clause: str) -> str:
    match = re.fullmatch(r"([<>=!~]+)(.*)", clause, re.DOTALL)
    assert match
    operator, version = match.groups()
    name = "python_full_version" if version.count(".") > 1 and not version.endswith(".*") else "python_version"
    return f'{name} {operator} "{version}"'


def _branch(text: str) -> list[str] | None:
    """The clauses of one alternative."""
    text = text.strip().rstrip(",").strip()
    if text in ("", "*", "x", "X"):
        return []
    clauses: list[str] = []
    for part in _BETWEEN.split(text):
        found = _clauses(part.strip())
        if found is None:
            return None
        clauses += found
    return clauses


def _clauses(text: str) -> list[str] | None:
    """One clause of poetry as PEP 440 clauses."""
    if text == "*":
        return []
    match = _CLAUSE.fullmatch(text) if len(text) <= _LONGEST else None
    if not match:
        return None
    operator, number, wildcard = match.groups()
    version = version_of(number)
    if version is None:
        return None
    if operator == "^":
        clauses = [f">={version.public}", f"<{_bumped(version, _caret(version))}"]
    elif operator == "~":
        clauses = [f">={version.public}", f"<{_bumped(version, min(1, len(version.release) - 1))}"]
    elif operator == "~=":
        clauses = [f"~={version.public}"]
    elif operator in ("", "=", "==", "==="):
        clauses = [f"=={number}{'.*' if wildcard else ''}"]
    elif operator in ("!=", "<>"):
        clauses = [f"!={number}{'.*' if wildcard else ''}"]
    else:
        clauses = [f"{operator}{version.public}"]
    return None if fault_of_specifier(",".join(clauses)) else clauses


def _caret(version: Version) -> int:
    """The index of the leftmost number that is not zero, which must not change."""
    release = version.release
    return next((place for place, number in enumerate(release) if number), len(release) - 1)


def _bumped(version: Version, place: int) -> str:
    """The first version with a greater number at this index."""
    epoch = f"{version.epoch}!" if version.epoch else ""
    numbers = [*version.release[:place], version.release[place] + 1]
    return epoch + ".".join(map(str, numbers))


def _hull(branches: list[list[str]]) -> str:
    if len(branches) == 1:
        return ",".join(branches[0])
    bounds = [_bounds(branch) for branch in branches]
    lows = [low for low, _ in bounds]
    highs = [high for _, high in bounds]
    clauses = []
    if all(lows):
        clauses.append(min((low for low in lows if low), key=_version))
    if all(highs):
        clauses.append(max((high for high in highs if high), key=lambda high: (_version(high), high[:2] == "<=")))
    return ",".join(clauses)


def _bounds(branch: list[str]) -> tuple[str, str]:
    """A lower and an upper clause that contain the whole branch, "" for no bound."""
    low = high = ""
    for clause in branch:
        if clause.startswith("==") and clause.endswith(".*"):
            version = Version(clause[2:-2])
            low, high = f">={version}", f"<{_bumped(version, len(version.release) - 1)}"
        elif clause.startswith("=="):
            low, high = f">={Version(clause[2:]).public}", f"<={Version(clause[2:]).public}"
        elif clause.startswith("~="):
            version = Version(clause[2:])
            low, high = f">={version}", f"<{_bumped(version, len(version.release) - 2)}"
        elif clause.startswith(">"):
            low = f">={clause.lstrip('>=')}"
        elif clause.startswith("<"):
            high = clause
    return low, high


def _version(clause: str) -> Version:
    return Version(clause.lstrip("<>="))
