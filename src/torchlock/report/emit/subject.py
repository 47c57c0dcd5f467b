"""What every form is made from: the lock, its indexes, and the comment at the top."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock import __version__
from torchlock.errors import InputError
from torchlock.knowledge.stack import FAMILY
from torchlock.redaction import one_line
from torchlock.report.requirements_txt import FIRST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.knowledge.systems import System
    from torchlock.lock import HostNote, Lock, Pin
    from torchlock.target import Target

_SYSTEM = {"linux": "linux", "macos": "darwin", "windows": "win32"}
_MACHINE = {("windows", "amd64"): "AMD64", ("windows", "arm64"): "ARM64"}


class Subject(NamedTuple):
    """A lock with what its text says beside the pins.

    ``options`` are the index options of pip for it, a line each; ``system`` is the distribution release, if the
    user named one.
    """

    lock: Lock
    command: str
    data_date: str
    options: Sequence[str] = ()
    system: System | None = None

    def header(self, use: str) -> Iterator[str]:
        """The comment at the top; ``use`` says what to do with the text."""
        yield f"{FIRST_LINE} {__version__} with the command"
        yield f"#     {self.command}"
        yield f"# for {self.lock.target}, from compatibility data of {self.data_date}."
        yield from (f"# {line}" for line in use.splitlines())

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pins of the lock."""
        return self.lock.pins

    @property
    def chosen(self) -> list[Pin]:
        """The pins that somebody chose: the input, a rule, or a build. What these declare decides the others."""
        return [pin for pin in self.pins if pin.rules or pin.page or pin.name in FAMILY or _is_asked(pin)]

    def undeclared(self) -> Iterator[str]:
        """A comment that names the pins which only a rule requires, so that no tool installs them by itself."""
        names = [pin.name for pin in self.pins if pin.rules and not pin.required_by]
        if names:
            yield f"# No metadata requires {', '.join(names)}: require it yourself, too."

    @property
    def python(self) -> str:
        """The Python of the target, like ``3.12``."""
        return f"{self.lock.target.python.major}.{self.lock.target.python.minor}"

    def libraries(self, kind: str) -> list[HostNote]:
        """The libraries that the machine has to bring (needs), or that give more features (wants)."""
        return [
            note
            for note in self.lock.host
            if note.kind == kind and note.of_the_machine and note.library not in _OF_THE_SYSTEM
        ]

    def packages(self, system: System) -> Iterator[tuple[str, HostNote]]:
        """The packages of a system with these libraries; without what is optional and not suitable there."""
        for note in [*self.libraries("needs"), *self.libraries("wants")]:
            library = system.libraries.get(note.library)
            if library is not None and note.admits(library.version):
                yield from ((package, note) for package in library.packages)

    def optional(self) -> Iterator[str]:
        """Comments that name the libraries that only give more features."""
        needed = {note.library for note in self.libraries("needs")}
        for note in self.libraries("wants"):
            if note.library not in needed:
                yield f"# {note.title} is for {note.package} {note.version} ({note.statement.rule}), and optional."

    def indexes(self) -> list[tuple[str, str]]:
        """The indexes that the input or the settings name, each as kind (index, extra, links) and address."""
        kinds = {"--index-url": "index", "--extra-index-url": "extra", "--find-links": "links"}
        pages = set(self.pages.values())
        found = []
        for line in self.options:
            option, _, address = line.partition(" ")
            if option in kinds and address not in pages:
                found.append((kinds[option], address))
        return found

    @property
    def pages(self) -> dict[str, str]:
        """The page of the PyTorch index of each package that comes from one."""
        from torchlock.index.addresses import redact

        return {pin.name: redact(pin.page) for pin in self.pins if pin.page}


_OF_THE_SYSTEM = {"glibc", "macos", "musl", "cuda-driver", "gil"}


def marker_of(target: Target) -> str:
    """The marker of the system and the machine of a target."""
    platform = target.platform
    machine = _MACHINE.get((platform.system, platform.machine), platform.machine)
    return f"sys_platform == '{_SYSTEM[platform.system]}' and platform_machine == '{machine}'"


def index_name(page: str) -> str:
    """A name for an index: ``pytorch-cu128`` for a page of the PyTorch index."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"^\w+://", "", page.lower()))
    return f"pytorch-{words[-1]}" if "whl" in words else "-".join(words[:4]) or "index"


def plain(pin: Pin, form: str) -> str:
    """The version of a pin.

    Raises:
        InputError: the pin is a URL or a path of the input, which this form cannot state.
    """
    if pin.written is not None:
        written = one_line(pin.written.origin.text.strip())
        raise InputError(
            f"--emit {form} states versions, and {pin.name} is locked as {written}",
            hint="leave this requirement out, or use --emit constraints or a lock",
        )
    return pin.version


def quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{one_line(escaped)}"'


def _is_asked(pin: Pin) -> bool:
    return any(who.startswith("-r ") or who == "the command line" for who in pin.required_by)
