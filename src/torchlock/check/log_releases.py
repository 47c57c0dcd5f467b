"""The releases of the stack that a log shows as installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.check.log import Log

_NAMES = r"(?P<name>torch|torchaudio|torchvision|torchcodec|numpy|pytorch)"
_VERSION = (
    r"(?P<version>\d{1,3}\.\d{1,3}(?:\.\d{1,3})?(?:\.post\d{1,2})?(?:\.?dev\d{6,8})?"
    r"(?:\+\w{1,20}(?:\.\w{1,20}){0,5})?)(?!\w|\.\w|\+)"
)
# Lists of pip and conda, pip show, collect_env, the words of pip, and those of a program: "torch: 2.9.0".
_SHOWN = (
    re.compile(rf"^Name: {_NAMES}\s{{1,3}}Version: {_VERSION}", re.I | re.M),
    re.compile(rf"^\s{{0,8}}(?:\[pip3?\] |\[conda\] )?{_NAMES}(?: {{1,40}}|: ?|==){_VERSION}", re.I | re.M),
    re.compile(rf"^\s{{0,8}}{_NAMES}-{_VERSION}\s{{0,8}}$", re.I | re.M),
    re.compile(rf"Requirement already satisfied: {_NAMES}\S{{0,40}} .{{0,200}}\({_VERSION}\)"),
    re.compile(
        rf"(?<![\w-])(?<!to build ){_NAMES}"
        rf"(?: ?:? |\.__version__\)?\s{{0,4}}[=:]?\s{{0,4}}['\"]?| version ?[:=] ?){_VERSION}",
        re.I,
    ),
    # A list or a table of Markdown: "- **torch**: 2.9.0", "| torch | 2.9.0 |".
    re.compile(
        rf"^\s{{0,8}}(?:[-*+|]\s{{1,4}})?[*`]{{0,3}}{_NAMES}[*`]{{0,3}}:?[*`]{{0,3}}"
        rf"\s?[|: ]\s{{0,20}}[*`]{{0,3}}{_VERSION}",
        re.I | re.M,
    ),
)
_INSTALLED = re.compile(r"Successfully installed (?P<all>.{1,4000})")
_ITEM = re.compile(rf"(?<![\w-]){_NAMES}-{_VERSION}", re.I)
# The files that an installer took; only for packages of which nothing else shows the release.
_FILE = re.compile(rf"(?<![\w-]){_NAMES}-{_VERSION}-cp3", re.I)
# A torch with the number that a build from source gets: in lists, in wheels, in the words of a program.
_SOURCE_BUILD = re.compile(
    r"(?<![\w-])(?:py)?torch(?:==|-|: ?|,? version:? ?\(?| {1,40}|\.__version__\)? ?[=:]? ?['\"]?)"
    r"(?P<whole>(?P<public>\d{1,2}\.\d{1,3}\.\d{1,3})a0\+(?:git)?[0-9a-f]{7,12}(?:\.nv\d{2}\.\d{1,2})?)",
    re.IGNORECASE,
)
_MOST = 200_000


def releases_in(log: Log) -> dict[str, tuple[str, str]]:
    """The release of each package of the stack that a log shows as installed, and its build label, "" for none.

    Left out is a package with several releases: which of them the failure is about is not known. What an installer
    installed last before the failure replaces what the log shows before that.
    """
    text = log.text[-_MOST:]
    shown = [(-1, name, version) for name, version in log.installed]
    for pattern in _SHOWN:
        shown += [(match.start(), match["name"], match["version"]) for match in pattern.finditer(text)]
    pairs = _as_of(shown, _installs(text), _failure_at(log))
    known = {_torch(name) for name, _ in pairs}
    files = [(match["name"], match["version"]) for match in _FILE.finditer(text.replace("%2B", "+"))]
    pairs += [(name, version) for name, version in files if _torch(name) not in known]
    found: dict[str, dict[str, set[str]]] = {}
    for name, version in pairs:
        public, _, label = version.partition("+")
        found.setdefault(_torch(name), {}).setdefault(public, set()).add(label)
    single = {name: next(iter(each.items())) for name, each in found.items() if len(each) == 1}
    return {name: (version, max(labels)) for name, (version, labels) in single.items() if len(labels - {""}) < 2}


def source_build_in(log: Log) -> tuple[str, str]:
    """The torch of a log that somebody compiled from source (``2.1.0a0+41361538.nv23.06``), and its release.

    Vendors, such as NVIDIA for Jetson, number their builds in this way. Empty texts if there is none, or several.
    """
    found = {(match["whole"], match["public"]) for match in _SOURCE_BUILD.finditer(log.text[-_MOST:])}
    return next(iter(found)) if len(found) == 1 else ("", "")


def _torch(name: str) -> str:
    """The name of a package in lower case; torch for the name that conda gives it."""
    return {"pytorch": "torch"}.get(name.lower(), name.lower())


def _installs(text: str) -> list[tuple[int, str, str]]:
    """What pip says that it installed, in its order: the place in the text, the package and the version."""
    return [
        (line.start(), item["name"], item["version"])
        for line in _INSTALLED.finditer(text)
        for item in _ITEM.finditer(line["all"])
    ]


def _failure_at(log: Log) -> int:
    """The place of the first failure in the part of a log that is searched for releases."""
    if log.first is None:
        return len(log.text)
    before = sum(len(line) + 1 for line in log.text.split("\n")[: log.first.line - 1])
    return before - max(0, len(log.text) - _MOST)


def _as_of(
    shown: list[tuple[int, str, str]], installs: list[tuple[int, str, str]], failure: int
) -> list[tuple[str, str]]:
    """The packages and versions that hold at a place of the log, by what was installed last before it."""
    last: dict[str, int] = {}
    for place, name, _ in installs:
        if place < failure:
            last[_torch(name)] = place
    kept = [(name, version) for place, name, version in shown if place < 0 or place >= last.get(_torch(name), 0)]
    done = [(name, version) for place, name, version in installs if place == last.get(_torch(name), place)]
    return kept + done
