"""conda's match specifications: ``pytorch::pytorch >=2.0,<3``, ``numpy=1.26``, ``pytorch=2.1.0=py3.10_cuda12.1``.

A single ``=`` matches a prefix (``=1.7`` allows 1.7.1), unless a build follows; a bare version is exact. The
format is defined in conda's documentation of package specifications.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from torchlock.knowledge.stack import CONDA_NAMES
from torchlock.patterns import pattern
from torchlock.standards.names import normalise

# conda keeps a folder of packages for each platform.
SUBDIRS = {
    "linux-64": "linux-x86_64",
    "linux-aarch64": "linux-aarch64",
    "osx-64": "macos-x86_64",
    "osx-arm64": "macos-arm64",
    "win-64": "windows-amd64",
    "win-arm64": "windows-arm64",
}

_SPEC = pattern(
    r"(?:(?P<channel>[^\s:=<>!~\[]+(?::/[^\s:=<>!~\[]+)?)::?(?:[\w.-]*:)?)?(?P<name>[\w*][\w.*-]*)(?P<rest>.*)",
    re.DOTALL,
)
_BRACKETS = pattern(r"(?<!\s)\s*\[(?P<inside>[^\[\]]*)\]\s*")
_PAIR = pattern(r"""(?<!\w)(\w+)\s*=\s*("[^"]*"|'[^']*'|[^\s,]+)""")
# Clauses, with optional space around operators, commas and bars; then an optional build behind a space or "=".
_CLAUSE = r"(?:\(\s*)?(?:(?:[<>=!~]=|[<>=])\s*)?[\w*][\w.*+!-]*(?:\s*\))?"
_VERSIONS = pattern(
    rf"(?P<versions>{_CLAUSE}(?:\s*[,|]\s*{_CLAUSE})*|\^[^\s$]*\$?)"
    r"(?:(?P<gap>\s*=\s*|\s+)(?P<build>[\w.*+^$()|\[\]\\-]*))?"
)
_ONE = pattern(r"([<>=!~]=|[<>=])?\s*([\w.*+!-]+)")
_NUMBER = pattern(
    r"(?:\d+!)?\d+(?:\.\d+)*(?P<more>[._-]?(?:a|b|c|rc|alpha|beta|pre|post|rev|r(?!c)|dev)(?:[._-]?\d+)?)*"
    r"(?:(?<=[a-z])[._-])?(?P<local>\+[a-z0-9]+(?:[._-][a-z0-9]+)*)?",
    re.IGNORECASE,
)
# No specification is longer; the patterns above would be slow on a longer text.
_LONGEST = 300


class MatchSpec(NamedTuple):
    """A parsed specification.

    ``versions`` are the versions as written, with their span in the text (``start`` to ``end``, with the build,
    because another version has no such build). ``specifier`` is the same in PEP 440, None if PEP 440 cannot
    express it.
    """

    name: str
    channel: str
    specifier: str | None
    build: str
    start: int
    end: int

    @property
    def index_name(self) -> str:
        """The name on package indexes."""
        normal = normalise(self.name)
        return CONDA_NAMES.get(normal, normal)


def parse(text: str) -> MatchSpec | None:
    """Read a match specification; None if the text is not one."""
    match = _SPEC.fullmatch(text) if len(text) <= _LONGEST else None
    if not match:
        return None
    rest, at = match["rest"], match.start("rest")
    name, channel = match["name"], match["channel"] or ""
    brackets = _BRACKETS.search(rest)
    if brackets:
        return _bracketed(name, channel, rest, at, brackets)
    stripped = rest.strip()
    if not stripped:
        return MatchSpec(name, channel, "", "", at, at)
    if stripped[0] not in "<>=!~^(" and not rest[0].isspace():
        return None
    found = _VERSIONS.fullmatch(stripped)
    if not found:
        return None
    start = at + rest.index(stripped)
    build = found["build"] or ""
    specifier = specifier_of(found["versions"], has_build=bool(build))
    return MatchSpec(name, channel, specifier, build, start, start + len(stripped))


def specifier_of(versions: str, *, has_build: bool = False) -> str | None:
    """conda's version clauses as a PEP 440 specifier set; None if PEP 440 cannot express them."""
    if "|" in versions or "^" in versions:
        return None
    clauses: list[str] = []
    for part in re.sub(r"[()]", "", versions).split(","):
        clause = _clause(part.strip(), has_build)
        if clause is None:
            return None
        if clause and clause not in clauses:
            clauses.append(clause)
    return ",".join(clauses)


def _bracketed(name: str, channel: str, rest: str, at: int, brackets: re.Match[str]) -> MatchSpec | None:
    """``name[version='>=1',build=…]``: the values in the brackets replace those in front of them."""
    before, after = rest[: brackets.start()], rest[brackets.end() :]
    if after.strip():
        return None
    pairs = {key: value.strip("\"'") for key, value in _PAIR.findall(brackets["inside"])}
    outer = parse(f"{name}{before}")
    if outer is None:
        return None
    build = pairs.get("build", outer.build)
    specifier = outer.specifier
    if "version" in pairs:
        specifier = specifier_of(pairs["version"], has_build="build" in pairs)
    start = at + (outer.start - len(name) if before.strip() else brackets.start("inside") - 1)
    end = at + brackets.end("inside") + 1
    return MatchSpec(name, pairs.get("channel", channel), specifier, build, start, end)


def _clause(text: str, has_build: bool) -> str | None:
    match = _ONE.fullmatch(text)
    if not match:
        return None
    operator, version = match[1] or "", match[2]
    if version == "*":
        return "" if operator in ("", "=", "==", ">=", "<=") else None
    number = re.sub(r"(?<![.*])(?:\.?\*)+$", "", version)
    wildcard = number != version
    valid = _NUMBER.fullmatch(number)
    if not valid:
        return None
    if operator in (">=", ">", "<=", "<"):
        return None if valid["local"] else f"{operator}{number}"
    if operator == "~=":
        return f"~={number}" if "." in number.split("!")[-1] else f">={number}"
    fuzzy = wildcard or (operator == "=" and not has_build)
    star = ".*" if fuzzy and not valid["more"] and not valid["local"] else ""
    return f"{'!=' if operator == '!=' else '=='}{number}{star}"
