"""The lines of a Dockerfile: a small image with the Python and the system libraries of the lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.knowledge import systems
from torchlock.report.emit.subject import of_one_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.knowledge.systems import System
    from torchlock.report.emit.subject import Subject

USE = """\
To write the lock, run the same command with -o requirements.txt instead of --emit docker."""
# The releases that the official images of Python are based on, newest first, each with its oldest Python.
_BASES = (("debian-13", 9), ("debian-12", 7), ("debian-11", 6))
_DRIVER = "cuda-driver"


def render(subject: Subject) -> str:
    """``FROM``, the system packages, and the installation of the lock.

    Raises:
        InputError: several targets, one that is not Linux, or no image with the libraries that the lock needs.
    """
    of_one_target(subject, "docker")
    target = subject.target
    if target.platform.system != "linux" or target.platform.libc != "glibc":
        raise InputError(
            f"--emit docker: an image is for Linux with glibc, and this lock is for {target.platform}",
            hint="add --platform linux-x86_64 or linux-aarch64",
        )
    system = subject.system if subject.system is not None else _fitting(subject)
    packages = _packages(subject, system)
    lines = [*subject.header(USE), *subject.optional(), *_driver(subject), "", f"FROM {_image(system, subject)}"]
    lines += [*_installation(system, packages), "WORKDIR /app", "COPY requirements.txt ."]
    pip = "python3 -m pip" if system.id.startswith("ubuntu") else "pip"
    lines.append(f"RUN {pip} install --no-cache-dir -r requirements.txt")
    return "\n".join(lines) + "\n"


def _fitting(subject: Subject) -> System:
    """The newest release with images of this Python whose libraries are suitable.

    Raises:
        InputError: none is.
    """
    minor = subject.target.python.minor
    for name, oldest in _BASES:
        system = systems.load(name)
        if minor >= oldest and not _lacking(subject, system):
            return system
    lacking = ", ".join(_lacking(subject, systems.load(_BASES[0][0])))
    raise InputError(
        f"--emit docker: no image of Python {subject.python} has {lacking}",
        hint="name a distribution release that has it with --system, like --system ubuntu-22.04",
    )


def _lacking(subject: Subject, system: System) -> list[str]:
    """The needed libraries that a release does not have in a suitable version."""
    lacking = []
    for note in subject.libraries("needs"):
        library = system.libraries.get(note.library)
        if library is None or not library.packages or not note.admits(library.version):
            lacking.append(f"{note.title} {note.specifier}".strip())
    return lacking


def _packages(subject: Subject, system: System) -> list[str]:
    lacking = _lacking(subject, system)
    if lacking:
        raise InputError(
            f"--emit docker: {system.title} has no suitable {', '.join(lacking)}",
            hint="leave --system out, so that an image with it is chosen",
        )
    return list(dict.fromkeys(package for package, _ in subject.packages(system)))


def _image(system: System, subject: Subject) -> str:
    """The image for a release.

    Raises:
        InputError: there is no image of this Python for it.
    """
    codename = re.search(r"^Debian \d+ \((\w+)\)", system.title)
    oldest = dict(_BASES).get(system.id)
    if codename and oldest is not None and subject.target.python.minor >= oldest:
        free = subject.target.python.free_threaded
        if not free:
            return f"python:{subject.python}-slim-{codename[1]}"
    if system.id.startswith("ubuntu-") and system.python == subject.python:
        return system.id.replace("-", ":")
    named = f"Python {subject.target.python}"
    raise InputError(
        f"--emit docker: no official image of {system.title} with {named} is known",
        hint="leave --system out, or use another --python",
    )


def _installation(system: System, packages: list[str]) -> Iterator[str]:
    ubuntu = ["python3", "python3-pip"] if system.id.startswith("ubuntu") else []
    if packages or ubuntu:
        yield "# A release of Debian or Ubuntu keeps one version of a package, so none is named."
        yield "# hadolint ignore=DL3008"
        yield "RUN apt-get update \\"
        yield f"    && apt-get install -y --no-install-recommends {' '.join([*ubuntu, *packages])} \\"
        yield "    && rm -rf /var/lib/apt/lists/*"
    if ubuntu and system.id > "ubuntu-23":
        yield "ENV PIP_BREAK_SYSTEM_PACKAGES=1"


def _driver(subject: Subject) -> Iterator[str]:
    notes = [note for lock in subject.builds.values() for note, _ in lock.host]
    for note in notes:
        if note.library == _DRIVER and note.kind == "needs":
            yield f"# The machine needs the NVIDIA driver {note.specifier} (and: docker run --gpus all)."
