"""What a log says about its environment: folders, Pythons, packages, builds, and the files of its tracebacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.knowledge.stack import CONDA_NAMES
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

_SITE = re.compile(r"[/\\](?:site|dist)-packages(?=[/\\]|$)")
_PACKAGE = re.compile(r"[/\\](?:site|dist)-packages[/\\](torch|torchaudio)(?=[/\\])")
# A file of a tool that installs into another environment than its own: its folder is not that of the failure.
_OF_TOOL = re.compile(
    r"[/\\](?:(?:(?:site|dist)-packages|pipx[/\\]venvs|uv[/\\]tools)[/\\]"
    r"(?:conda|conda_env|conda_libmamba_solver|mamba|poetry|pdm|hatch|pipenv|pipx|tox|nox|virtualenv)"
    r"|pypoetry[/\\]venv)[/\\]"
)
# The start of a path: after a quote or a bracket, or after a space before a root.
_START = re.compile(r"""["'<>|*?(=\[]|(?:File|from|at)\s|\s(?=[/~]|[A-Za-z]:[/\\])""")
# The Python in the name of this wheel is not the one that runs.
# A wheel that a command names may be for another Python.
_ASKED_WHEEL = re.compile(r"\binstall \S{0,300}-cp3\d{1,2}-\S{1,100}\.whl")
_FOREIGN_WHEEL = "is not a supported wheel"
PYTHON = re.compile(
    r"[/\\]python(3\.\d{1,2})[/\\]|[/\\]Python(3)(\d{1,2})(?:-\d\d|-arm64)?[/\\]"
    # The image of a Dockerfile, and the form of an issue.
    r"|\bFROM (?:[\w.:/-]{1,80}/)?python:(3\.\d{1,2})\b|^[ *-]{0,6}Python version[*:]{1,3} {0,3}(3\.\d{1,2})\b"
    r"|\bC?Python (3\.\d{1,2})\.\d{1,2}\b|\bcp(?:ython-)?(3)(\d{1,2})\b(?!-abi3)",
    re.I,
)
# Packages that the log shows as installed: the name, or another name for it, and the version.
_INSTALLED = re.compile(
    r"The (PyTorch) version \((\d[\w.+]{0,60})\)|but you have ([\w.-]{1,60}) (\d[\w.+]{0,60}\w)"
    r"|(?:Got|run in) (NumPy) (\d{1,3}(?:\.\d{1,3}){1,2})"
)
_CUDA = re.compile(r"\b(PyTorch|TorchAudio|torchvision) has CUDA [Vv]ersion ?=? ?(\d{1,2}\.\d)")
_FRAME = re.compile(r"(?:site|dist)-packages[/\\]([\w.-]{1,100}(?:[/\\][\w.-]{1,100}){0,20}\.py)\b")
_OWN_FRAME = re.compile(r'File "([^"<]{1,300}\.py)", line \d')


class Facts:
    """What the lines of a log that were read so far say about its environment; each value once, in their order."""

    def __init__(self) -> None:
        self.prefixes: dict[tuple[str, str], None] = {}
        """The packages, each with the folder that it was imported from."""
        self.sites: dict[str, None] = {}
        """The folders of packages."""
        self.pythons: dict[str, None] = {}
        self.installed: dict[tuple[str, str], None] = {}
        """The packages, each with its version."""
        self.cuda: dict[tuple[str, str], None] = {}
        """The packages, each with the CUDA version of its build."""
        self.callers: dict[str, None] = {}
        """The files of tracebacks outside of the folders of packages."""

    def read(self, line: str) -> None:
        """Take what one line says; a line of a tool says nothing about the environment that it installs into."""
        if ("-packages" in line or "venv" in line) and _OF_TOOL.search(line):
            return
        is_asked = _FOREIGN_WHEEL in line or _ASKED_WHEEL.search(line) is not None
        if ("ython" in line or "cp3" in line) and not is_asked:
            self.pythons.update((python_in(match), None) for match in PYTHON.finditer(line))
        if "-packages" in line:
            self.prefixes.update((each, None) for each in _places(line))
            self.sites.update((each, None) for each in _sites(line))
        elif (caller := _OWN_FRAME.search(line)) is not None:
            self.callers[caller[1]] = None
        self.installed.update((pair, None) for pair in _installed_in(line))
        self.cuda.update(((_package(match[1]), match[2]), None) for match in _CUDA.finditer(line))


def frames_in(line: str) -> list[str]:
    """The files of packages that a line names as a traceback does; the paths begin in the folder of packages."""
    return [match[1].replace("\\", "/") for match in _FRAME.finditer(line)] if "-packages" in line else []


def _installed_in(line: str) -> Iterator[tuple[str, str]]:
    for match in _INSTALLED.finditer(line):
        name, version = (group for group in match.groups() if group)
        yield _package(name), version


def _package(name: str) -> str:
    name = normalise(name)
    return CONDA_NAMES.get(name, name)


def python_in(match: re.Match[str]) -> str:
    return ".".join(group for group in match.groups() if group)


def _places(line: str) -> Iterator[tuple[str, str]]:
    """The packages whose files a line names, each with the folder above its site-packages."""
    for match in _PACKAGE.finditer(line):
        if prefix := _folder_before(line, match.start()):
            yield match[1], prefix


def _sites(line: str) -> Iterator[str]:
    """The folders of packages that a line names."""
    for match in _SITE.finditer(line):
        if prefix := _folder_before(line, match.start()):
            yield prefix + match[0]


def _folder_before(line: str, end: int) -> str:
    """The path that ends at a place of a line; "" if it is not absolute."""
    prefix = _START.split(line[max(0, end - 300) : end])[-1].strip()
    return prefix if prefix.startswith(("/", "~", "\\")) or prefix[1:2] == ":" else ""
