"""What conda, mamba and pixi print of packages that no channel has."""

from __future__ import annotations

import itertools
import re

# What the solvers of conda, mamba and pixi say of a package that no channel has: its name, version and build.
_VERSION = r"(?: ?=?=? ?(?P<version>\d[\w.*]{0,40})(?: (?!needed\b)(?P<build>[\w.]{0,59}\w))?)?"
_NOT_PROVIDED = (
    re.compile(rf"nothing provides (?:requested )?(?P<name>[\w.-]{{1,80}}){_VERSION}(?=\s|$)"),
    re.compile(
        r"(?P<name>[A-Za-z_][\w.-]{0,80})(?: =?(?P<version>[\w.*]{1,40}))?(?: (?P<build>\w{1,40}))?(?: \*)?"
        r" does not exist \(perhaps"
    ),
)
# What pixi says.
NO_CANDIDATES = re.compile(
    r"No candidates were found for (?P<name>[\w.-]{1,80})(?: [=<>!~]*(?P<version>\d[\w.*]{0,40}))?"
)
# What pixi and rattler say in their tree.
_NO_CANDIDATES_IN_TREE = re.compile(
    r"[├└]─ (?P<name>[\w.-]{1,80})(?: (?P<version>[\w.*=<>,|]{1,40}))?(?: (?P<build>[\w.*]{1,40}))?, for which no "
    r"candidates were found"
)
_OF_MACHINE = re.compile(
    r"Virtual package '(?P<name>__\w{2,20})(?:[=<> ]{1,4}(?P<version>[\d.]{1,12}))?' does not match"
)
# The list after ResolvePackageNotFound.
_LISTED = re.compile(r"\s{0,8}- ([\w.-]{1,80})(?:={1,2}([\w.*]{1,40}))?(?:=([\w.]{0,59}\w))?\s*")
# The list of conda if a package is there, and for other Pythons only.
_FOR_PYTHONS = re.compile(r"^\s{0,8}- (?P<name>[\w.-]{1,80})[^\n]{0,300}-> python\[", re.MULTILINE)
_OWN_PYTHON = re.compile(r"Your python: [^\n]{0,100}\bpython={1,2}(?P<version>\d\.\d{1,2})")


def missing_in(near: str) -> list[tuple[str, ...]]:
    """The packages that no channel has: name, and version and build as far as they are stated."""
    absent = (match.group("name", "version", "build") for match in _NOT_PROVIDED[1].finditer(near))
    found = [match.group("name", "version") for match in NO_CANDIDATES.finditer(near)]
    found += [(match["name"], match["version"]) for match in _OF_MACHINE.finditer(near)]
    tree = (match.group("name", "version", "build") for match in _NO_CANDIDATES_IN_TREE.finditer(near))
    named = itertools.chain(absent, tree)
    stated_in_tree = [tuple(part.strip("*=") for part in each if part) for each in named]
    stated: list[tuple[str | None, ...]] = [(name, (version or "").strip("*")) for name, version in found]
    stated += [match.group("name", "version", "build") for match in _NOT_PROVIDED[0].finditer(near)]
    if "ResolvePackageNotFound" in near:
        for line in near.partition("ResolvePackageNotFound")[2].splitlines()[1:]:
            listed = _LISTED.fullmatch(line)
            if listed is not None:
                stated.append(listed.groups())
            elif line.strip():
                break
    return list(dict.fromkeys(tuple(filter(None, each)) for each in [*stated_in_tree, *stated]))


def for_other_pythons(near: str) -> tuple[list[str], str]:
    """The packages that the channels have for other Pythons only, and the Python of the environment (``3.10``)."""
    own = _OWN_PYTHON.search(near)
    if own is None:
        return [], ""
    names = [match["name"] for match in _FOR_PYTHONS.finditer(near[: own.start()])]
    return list(dict.fromkeys(names)), own["version"]
