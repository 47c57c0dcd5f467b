"""What every form is made from: the locks of one target or of many, their indexes, and the comment at the top."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock import __version__
from torchlock.errors import InputError
from torchlock.knowledge.stack import FAMILY
from torchlock.redaction import one_line
from torchlock.report.requirements_txt import FIRST_LINE
from torchlock.report.targets import target_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.knowledge.systems import System
    from torchlock.lock import HostNote, Pin
    from torchlock.lock.joined import JoinedLock, JoinedPin
    from torchlock.target import Target

_SYSTEM = {"linux": "linux", "macos": "darwin", "windows": "win32"}
_MACHINE = {("windows", "amd64"): "AMD64", ("windows", "arm64"): "ARM64"}
_OF_THE_SYSTEM = {"glibc", "macos", "musl", "cuda-driver", "gil"}


class Subject(NamedTuple):
    """Locks with what their text says beside the pins.

    ``builds`` has the lock of each build (``pypi``, ``cu128``), with the targets of that build. ``options`` are
    the index options of pip, a line each; ``system`` is the distribution release, if the user named one.
    """

    builds: Mapping[str, JoinedLock]
    command: str
    data_date: str
    options: Sequence[str] = ()
    system: System | None = None

    def header(self, use: str) -> Iterator[str]:
        """The comment at the top; ``use`` says what to do with the text."""
        targets = self.targets
        about = str(targets[0]) if len(targets) == 1 else f"{len(targets)} targets"
        yield f"{FIRST_LINE} {__version__} with the command"
        yield f"#     {self.command}"
        yield f"# for {about}, from compatibility data of {self.data_date}."
        if len(targets) > 1:
            yield from (f"#     {line}" for line in target_lines(targets))
        yield from (f"# {line}" for line in use.splitlines())

    @property
    def targets(self) -> list[Target]:
        """The targets of all builds."""
        return [target for lock in self.builds.values() for target in lock.targets]

    @property
    def target(self) -> Target:
        """The only target, for a form that is about one."""
        return self.targets[0]

    @property
    def pins(self) -> list[JoinedPin]:
        """The pins of all builds, in the order of their names."""
        found = [pin for lock in self.builds.values() for pin in lock.pins]
        return found if len(self.builds) == 1 else sorted(found, key=lambda each: each.pin.name)

    @property
    def chosen(self) -> list[JoinedPin]:
        """The pins that somebody chose: the input, a rule, or a build. What these declare decides the others."""
        return [each for each in self.pins if is_chosen(each.pin)]

    def undeclared(self) -> Iterator[str]:
        """A comment that names the pins which only a rule requires, so that no tool installs them by itself."""
        names = dict.fromkeys(each.pin.name for each in self.pins if each.pin.rules and not each.pin.required_by)
        if names:
            yield f"# No metadata requires {', '.join(names)}: require it yourself, too."

    @property
    def python(self) -> str:
        """The Python of the only target, like ``3.12``."""
        return f"{self.target.python.major}.{self.target.python.minor}"

    @property
    def pythons(self) -> str:
        """The range of the Pythons of all targets, like ``>=3.10,<3.14``."""
        minors = [target.python.minor for target in self.targets]
        return f">=3.{min(minors)},<3.{max(minors) + 1}"

    def libraries(self, kind: str) -> list[HostNote]:
        """The libraries that the machine has to bring (needs), or that give more features (wants)."""
        return [
            note
            for lock in self.builds.values()
            for note, _ in lock.host
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
        pages = self.pages
        found = []
        for line in self.options:
            option, _, address = line.partition(" ")
            if option in kinds and address not in pages:
                found.append((kinds[option], address))
        return found

    @property
    def pages(self) -> dict[str, list[str]]:
        """The pages of the PyTorch index, each with the packages that come from it."""
        found: dict[str, dict[str, None]] = {}
        for each in self.pins:
            if each.pin.page:
                found.setdefault(page_of(each.pin), {})[each.pin.name] = None
        return {page: list(names) for page, names in found.items()}


def page_of(pin: Pin) -> str:
    """The page of the PyTorch index that a pin comes from, without credentials; "" for any other index."""
    from torchlock.index.addresses import redact

    return redact(pin.page) if pin.page else ""


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


def of_one_target(subject: Subject, form: str) -> None:
    """Refuse several targets.

    Raises:
        InputError: there are several.
    """
    if len(subject.targets) > 1:
        raise InputError(
            f"--emit {form} is about one target, and the options name several",
            hint="run the command once for each target",
        )


def of_one_build(subject: Subject, form: str) -> None:
    """Refuse several builds.

    Raises:
        InputError: there are several.
    """
    if len(subject.builds) > 1:
        raise InputError(
            f"--emit {form} is about one build, and the options name {', '.join(subject.builds)}",
            hint="use --emit uv, which has an extra for each build, or run it once for each --accelerator",
        )


def quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{one_line(escaped)}"'


def is_chosen(pin: Pin) -> bool:
    """Whether the input, a rule or a build chose this release."""
    asked = any(who.startswith("-r ") or who == "the command line" for who in pin.required_by)
    return bool(pin.rules or pin.page or pin.name in FAMILY or asked)
