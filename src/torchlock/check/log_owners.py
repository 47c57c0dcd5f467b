"""Whose a library is that a log names, if it is in no folder of Python packages: pip installs nothing there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.finding import Remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check.log import Log
    from torchlock.finding import Finding

_PATH = re.compile(
    r"(?:(?<![\w/.])/|(?<!\w)[A-Za-z]:[\\/]{1,2})[^'\"\n:,()<>*?|]{1,300}?"
    r"(?:\([^'\"\n:,()]{1,40}\)[^'\"\n:,()<>*?|]{1,200}?)?"
    r"\.(?:so(?:\.\d{1,5}){0,4}|dylib|dll|bundle|node|jnilib|vst3|clap)(?![\w.\\/-])",
    re.IGNORECASE,
)
# Where Python's own installers put files, and where a program unpacks its libraries for a while.
_OF_INSTALLERS = re.compile(
    r"(?:site|dist)-packages|/python\d[\d.]{0,5}/|/\.?v?env/|\.egg/|_MEI|torch_extensions", re.IGNORECASE
)
# The folders of the system, and of those who install for all of it.
_OF_SYSTEM = re.compile(
    r"^/(?:usr|lib\w{0,4}|System|nix|snap)/|^/opt/(?:homebrew|local|rocm|nvidia|intel)/|^C:/Windows/"
)
# Extension modules, and the libraries of the stack itself, which may be in a folder of its source.
_OF_PYTHON = re.compile(
    r"\.(?:cpython-|cp3\d|abi3\.)|/(?:lib)?_?(?:torch|c10|sndfile|soundfile)\w{0,40}\.", re.IGNORECASE
)
# Words about Python's installers.
_BY_PIP = re.compile(
    r"\bpip\b|\b[Ii]nstall (?:its|the|that) package|torchlock lock|packages of that Python|--force-reinstall"
)
_DAMAGE = ("TL607", "TL608")


class Owner(NamedTuple):
    """The program that a library belongs to, in words, and what replaces the library."""

    name: str
    fix: str


class _Place(NamedTuple):
    """Where a program keeps its own libraries. The groups of the path are filled into both texts."""

    path: re.Pattern[str]
    name: str
    fix: str


_AGAIN = "Install it again, in a release for this system and this kind of processor."
# The first one that matches counts.
_PLACES = tuple(
    _Place(re.compile(path, re.IGNORECASE), name, fix)
    for path, name, fix in (
        (
            r"/(?:R/.{1,120}/)?(?:site-library|win-library/[\d.]{1,9}|\w[\w-]{0,60}-library/[\d.]{1,9})/(?P<part>torch)/",
            "the package torch of R",
            "Install its libraries again in R: torch::install_torch(reinstall = TRUE).",
        ),
        (
            r"/(?:R/.{1,120}/)?(?:site-library|win-library/[\d.]{1,9}|\w[\w-]{0,60}-library/[\d.]{1,9})/(?P<part>[\w.]{1,60})/",
            "the package {part} of R",
            'Install it again in R: install.packages("{part}").',
        ),
        (
            r"/R(?:\.framework/.{1,80}|-[\d.]{3,9})?/library/(?P<part>[\w.]{1,60})/",
            "the package {part} of R",
            'Install it again in R: install.packages("{part}").',
        ),
        (
            r"/node_modules/(?P<part>(?:@[\w.-]{1,60}/)?[\w.-]{1,60})/",
            "the package {part} of Node.js",
            "Install it again with the package manager of that project.",
        ),
        (
            r"/gems/(?P<part>[\w-]{1,60}?)-[\d.]{1,20}[\w.-]{0,30}/",
            "the gem {part} of Ruby",
            "Install it again: gem install {part}.",
        ),
        (
            r"/\.julia/(?:artifacts|packages/(?P<part>\w{1,60}))/",
            "Julia",
            "Repair it with Julia's own package manager.",
        ),
        (
            r"/\.djl\.ai/",
            "DJL, a library for Java",
            "Delete its folder .djl.ai, from which it loads its own libraries: it fetches them again.",
        ),
        (
            r"/\.javacpp/",
            "JavaCPP, a library for Java",
            "Delete its folder .javacpp/cache, into which it unpacks its own libraries: it unpacks them again.",
        ),
        (
            r"/steamapps/common/(?P<part>[^/]{1,80})/",
            "{part}, a game of Steam",
            "Let Steam check the files of the game.",
        ),
        (
            r"/(?:ana|mini|micro)?(?:conda|forge|mamba)\d?/(?:envs/[^/]{1,80}/)?(?:lib|Library/bin)/[^/]{1,99}$",
            "conda",
            "Install its package again (conda install --force-reinstall); the files in conda-meta name it.",
        ),
        (r"/(?P<part>[^/]{1,80})\.app/Contents/", "the application {part}", _AGAIN),
        (r"/(?P<part>[^/]{1,80})\.(?:vst3|vst|component|clap|lv2)(?:/|$)", "the audio plug-in {part}", _AGAIN),
        (r"^[A-Za-z]:/Program Files(?: \(x86\))?/(?P<part>[^/]{1,80})/", "the program {part}", _AGAIN),
    )
)
# Of the folders of the system, for a library that is damaged.
_OF_SYSTEM_PLACES = tuple(
    _Place(re.compile(path, re.IGNORECASE), name, fix)
    for path, name, fix in (
        (
            r"/(?:Cellar|opt/homebrew/opt|usr/local/opt)/(?P<part>[\w@.+-]{1,60})/",
            "{part} of Homebrew",
            "Install it again for this processor: brew reinstall {part}.",
        ),
        (r"^/opt/local/", "MacPorts", "Install its port again: port provides PATH names it."),
        (
            r"^/(?:usr/)?lib\w{0,4}/",
            "the system",
            "Install its package again with the system's own installer: dpkg -S PATH or rpm -qf PATH names it.",
        ),
    )
)


def owned(log: Log, findings: Sequence[Finding]) -> None:
    """Take remedies of Python's installers from findings about a library that no such installer has put there.

    The owner has one of its own, if the path shows who that is.
    """
    first = log.first
    paths = [re.sub(r"[\\/]+", "/", match[0]) for match in _PATH.finditer(first.text)] if first is not None else []
    if first is None or not paths or any(_OF_INSTALLERS.search(each) for each in paths):
        return
    for finding in findings:
        is_about = finding.expected_error == first.text and not finding.path
        if is_about and finding.remedy is not None and _is_by_pip(finding.remedy):
            _tell(finding, paths)


def _tell(finding: Finding, paths: Sequence[str]) -> None:
    is_damage = finding.rule in _DAMAGE
    own = [each for each in paths if not _OF_SYSTEM.match(each)]
    path = next(iter(own), paths[0])
    owner = _owner_of(path, _PLACES if own else _OF_SYSTEM_PLACES)
    if owner is not None and (own or is_damage):
        finding.because = f"{path} belongs to {owner.name}; {finding.because}".removesuffix("; ")
        finding.remedy = Remedy(owner.fix) if is_damage else None
    elif own and is_damage and not _OF_PYTHON.search(path):
        folder = path.rpartition("/")[0]
        finding.because = f"{finding.because}; it is in {folder}, where no installer of Python put it"
        finding.remedy = None


def _is_by_pip(remedy: Remedy) -> bool:
    return bool(remedy.commands) or bool(_BY_PIP.search(remedy.summary))


def _owner_of(path: str, places: Sequence[_Place]) -> Owner | None:
    for place in places:
        if (match := place.path.search(path)) is not None:
            part = match.groupdict().get("part") or ""
            return Owner(place.name.format(part=part), place.fix.format(part=part))
    return None
