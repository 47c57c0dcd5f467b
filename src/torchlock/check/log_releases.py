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
        rf"(?::? |\.__version__\)?\s{{0,4}}[=:]?\s{{0,4}}['\"]?| version ?[:=] ?){_VERSION}",
        re.I,
    ),
)
_INSTALLED = re.compile(r"Successfully installed (?P<all>.{1,4000})")
_ITEM = re.compile(rf"(?<![\w-]){_NAMES}-{_VERSION}", re.I)
# The files that an installer took; only for packages of which nothing else shows the release.
_FILE = re.compile(rf"(?<![\w-]){_NAMES}-{_VERSION}-cp3", re.I)
_MOST = 200_000


def releases_in(log: Log) -> dict[str, tuple[str, str]]:
    """The release of each package of the stack that a log shows as installed, and its build label, "" for none.

    Left out is a package with several releases: which of them the failure is about is not known.
    """
    text = log.text[-_MOST:]
    pairs = list(log.installed)
    for pattern in _SHOWN:
        pairs += [(match["name"].lower(), match["version"]) for match in pattern.finditer(text)]
    for line in _INSTALLED.finditer(text):
        pairs += [(match["name"].lower(), match["version"]) for match in _ITEM.finditer(line["all"])]
    known = {name.lower().replace("pytorch", "torch") for name, _ in pairs}
    files = [(match["name"].lower(), match["version"]) for match in _FILE.finditer(text.replace("%2B", "+"))]
    pairs += [(name, version) for name, version in files if name not in known]
    found: dict[str, dict[str, set[str]]] = {}
    for name, version in pairs:
        public, _, label = version.partition("+")
        found.setdefault({"pytorch": "torch"}.get(name.lower(), name.lower()), {}).setdefault(public, set()).add(
            label
        )
    single = {name: next(iter(each.items())) for name, each in found.items() if len(each) == 1}
    return {name: (version, max(labels)) for name, (version, labels) in single.items() if len(labels - {""}) < 2}
