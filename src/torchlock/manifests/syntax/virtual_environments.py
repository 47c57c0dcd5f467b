"""Virtual environments of a script: the commands that make them, enter them, and install into them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.shell import Word

_MAKERS = pattern(r"(?:virtualenv|(?:\S*[/\\])?python[\d.]*(?:\.exe)? -m (?:venv|virtualenv)|uv venv)(?: |$)")
_PYTHON = pattern(r"python(3\.\d+)")
_VALUED = {"-p", "--python", "--prompt", "--seed-packages", "--index-url", "--cache-dir"}
_PROGRAM = pattern(r"(?P<root>.+?)[/\\](?:bin|Scripts)[/\\][^/\\]+")
_SEARCHED = pattern(r"(?P<root>[^:]+)/bin(?:[:/]|$)")
_UV = ".venv"


class MadeEnvironment(NamedTuple):
    """A virtual environment without the packages of its Python.

    ``python``: the version that is named for it; ``path``: its folder, None if that is unknown.
    """

    python: str = ""
    path: str | None = None


def made_environment(words: Sequence[Word]) -> MadeEnvironment | None:
    """The environment that a command makes; None if it makes none, or one that has the packages of its Python."""
    values = [word.value for word in words]
    if not _MAKERS.match(" ".join(values[:3])) or "--system-site-packages" in values:
        return None
    options = [value for option, value in pairwise(values) if option in ("-p", "--python")]
    options += [value.partition("=")[2] for value in values if value.startswith("--python=")]
    named = [re.sub(r"^(?=3\.)", "python", PurePosixPath(value).name) for value in [*options, values[0]]]
    versions = [match[1] for value in named if (match := _PYTHON.match(value))]
    return MadeEnvironment(versions[0] if versions else "", _path(words))


def _path(words: Sequence[Word]) -> str | None:
    at = 1 if words[0].value == "virtualenv" else 2 if words[0].value == "uv" else 3
    plain = [
        word
        for before, word in pairwise(words[at - 1 :])
        if not word.value.startswith("-") and before.value not in _VALUED
    ]
    if not plain:
        return _UV if words[0].value == "uv" else None
    return None if plain[0].unknown else _normal(plain[0].value)


def _normal(path: str) -> str:
    return str(PurePosixPath(path))


@dataclass(slots=True)
class Environments:
    """The virtual environments of an image, and the one that commands are in.

    ``entered`` are those that a command of this stage, or of one before or behind it, uses; ``entries`` are what
    this stage installs into each. ``searched`` is the environment whose folder comes first in PATH, ``activated``
    the one that this shell entered, ``variable`` the value of VIRTUAL_ENV.
    """

    made: dict[str, MadeEnvironment] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    searched: str = ""
    activated: str = ""
    variable: str = ""

    def new_shell(self) -> Environments:
        """The same environments for the next instruction, whose shell has entered none."""
        return replace(self, activated="")

    def of_later_stage(self) -> Environments:
        """What a stage has that is based on this one."""
        return replace(self, entries={}, activated="")

    def copy(self, other: Environments) -> None:
        """``COPY --from``: the environments of another stage may be here, too."""
        self.made.update(other.made)

    def make(self, made: MadeEnvironment) -> None:
        """Record an environment."""
        self.made[made.path or ""] = made

    def install(self, made: MadeEnvironment) -> list[Entry]:
        """What this stage has installed into an environment that a command uses."""
        self.entered.add(made.path or "")
        return self.entries.setdefault(made.path or "", [])

    def installed(self) -> list[Entry]:
        """What this stage installs into its environments; a branch of an environment with all else in it."""
        return [entry for path, entries in self.entries.items() for entry in _with_branches(path, entries)]

    @property
    def is_unused(self) -> bool:
        """Whether there is an environment, and no command is known to use one."""
        return bool(self.made) and not self.entered

    @property
    def pythons(self) -> set[str]:
        """The Pythons that are named for the environments in use."""
        return {made.python for path, made in self.made.items() if path in self.entered and made.python}

    def assign(self, name: str, value: str) -> None:
        """``PATH`` or ``VIRTUAL_ENV`` gets a value."""
        if name == "PATH" and (match := _SEARCHED.match(value)):
            self.searched = _normal(match["root"])
        elif name == "VIRTUAL_ENV":
            self.variable = _normal(value)

    def enter(self, words: Sequence[Word]) -> None:
        """``. /venv/bin/activate`` and ``deactivate``."""
        if words[0].value == "deactivate":
            self.activated = ""
        elif words[0].value in (".", "source") and len(words) > 1:
            program = _PROGRAM.fullmatch(words[1].value)
            if program and words[1].value.endswith("activate"):
                self.activated = _normal(program["root"])

    def of(self, words: Sequence[Word]) -> MadeEnvironment | None:
        """The environment that a command installs into; None for that of the image."""
        program = _PROGRAM.fullmatch(words[0].value)
        if program:
            return self._known(_normal(program["root"]))
        values = [word.value for word in words]
        if values[:2] != ["uv", "pip"]:
            return self._known(self.activated) or self._known(self.searched)
        if "--system" in values:
            return None
        named = [value for option, value in pairwise(values) if option in ("-p", "--python")]
        named += [value.partition("=")[2] for value in values if value.startswith("--python=")]
        if named:
            inside = _PROGRAM.fullmatch(named[0])
            return self._known(_normal(inside["root"] if inside else named[0]))
        return self._known(self.activated) or self._known(self.variable) or self._known(_UV)

    def _known(self, path: str) -> MadeEnvironment | None:
        """The environment of a folder. A relative path and an absolute one may name the same folder."""
        for known, made in self.made.items():
            if known and path and (known == path or _ends(known, path) or _ends(path, known)):
                return made
        return None


def _with_branches(path: str, entries: Sequence[Entry]) -> list[Entry]:
    """The entries of an environment, those that are always installed again for each branch of a command."""
    whole = f"alone:{path}"
    branches = dict.fromkeys(entry.scope for entry in entries if entry.scope.startswith(f"{whole}-"))
    joined = [
        replace(entry, scope=branch) for branch in branches for entry in entries if entry.scope in (whole, branch)
    ]
    return [*(entry for entry in entries if entry.scope not in branches), *joined]


def _ends(path: str, part: str) -> bool:
    return not part.startswith("/") and path.endswith(f"/{part}")
