"""The lock in the output file: the pins, the build, the machine and the base that it states."""

from __future__ import annotations

import os
from functools import cached_property

from torchlock.errors import InputError
from torchlock.records import replace
from torchlock.redaction import masked, one_line
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torchlock.lock.build_machine import BuildMachine
    from torchlock.lock.installed_base import Base
    from torchlock.lock.model import Previous
    from torchlock.manifests.document import Document
    from torchlock.manifests.lock_comments import LockComments
    from torchlock.manifests.pin_sets import PinSet
    from torchlock.target import Target

_OPTIONS = {"base image": "--base-image", "environment": "--constraint-from"}


class ExistingLock:
    """The output file before it is replaced. ``path`` is None for standard output; then everything is empty.

    With ``target``, only the pins for that target count. Each property raises ``InputError`` if the file, or the
    comment for it, cannot be read.
    """

    def __init__(self, path: str | None, *, pylock: bool) -> None:
        self.target: Target | None = None
        self._path = path
        self._pylock = pylock

    def on(self, target: Target) -> ExistingLock:
        """The same lock with the pins for one target only."""
        twin = ExistingLock(self._path, pylock=self._pylock)
        twin.__dict__.update(pin_set=self.pin_set, _comments=self._comments, _document=self._document)
        twin.target = target
        return twin

    def of_part(self, scopes: Collection[str]) -> ExistingLock:
        """The same lock with the pins that an installation of these extras and groups has."""
        twin = ExistingLock(self._path, pylock=self._pylock)
        twin.__dict__.update(_comments=self._comments, text=self.text)
        if self._document is None:
            return twin
        entries = [entry for entry in self._document.entries if entry.is_in(scopes)]
        document = replace(self._document, entries=entries)
        from torchlock.manifests.pin_sets import pin_set_of

        twin.__dict__.update(_document=document, pin_set=pin_set_of(document) if entries else None)
        return twin

    @cached_property
    def pins(self) -> dict[str, str]:
        """The version of each project."""
        if self._document is None:
            return {}
        from torchlock.manifests.pins import pins_of

        return pins_of(self._document, self.target)

    @cached_property
    def _document(self) -> Document | None:
        if not self._exists:
            return None
        from torchlock.manifests.pins import read_lock

        try:
            return read_lock(str(self._path), self.kind)
        except InputError as error:
            error.hint = "use --upgrade to write a new lock without reading the old one"
            raise

    @cached_property
    def text(self) -> str:
        """What the file contains; "" if there is none."""
        if not self._exists:
            return ""
        from torchlock.manifests.text import read_text

        return read_text(str(self._path))

    @property
    def kind(self) -> str:
        """The format of the file."""
        return "pylock" if self._pylock else "requirements"

    @cached_property
    def pin_set(self) -> PinSet | None:
        """All pins with their markers, to compare; None if there is no file, or it cannot be read as a lock."""
        if not self._exists:
            return None
        from torchlock.manifests.pin_sets import read_pin_set

        try:
            found = read_pin_set(str(self._path), self.kind)
        except InputError:  # with --upgrade, the file is replaced anyway
            return None
        return found if found.pins else None

    def previous(self, others: Mapping[str, str], target: Target) -> Previous | None:
        """The versions to explain the changes of: those of the file on a target, and of other locks."""
        from torchlock.lock.model import Previous

        if self.pin_set is None:
            return Previous(others, self.build_on(target)) if others else None
        pins = {**others, **self.pin_set.versions_on(target)}
        elsewhere = {pin.name: (pin.version, pin.marker) for pin in self.pin_set.pins if pin.name not in pins}
        named = {name: found for name, found in elsewhere.items() if found[0][:1].isdigit() and found[1]}
        return Previous(pins, self.build_on(target), named)

    @property
    def build(self) -> str:
        """The build (``pypi``, ``cu128``); "" if torchlock has not written the file."""
        return "" if self._comments is None else self._comments.label or "pypi"

    def build_on(self, target: Target) -> str:
        """The build that the pins on a target are of; "" if torchlock has not written the file.

        A lock for many targets may state several builds. Then the labels of the pins decide.
        """
        builds = self.build.split(",")
        if len(builds) == 1 or self.pin_set is None:
            return self.build
        from torchlock.knowledge.stack import FAMILY

        pins = self.pin_set.versions_on(target)
        labels = [pins[name].partition("+")[2] for name in FAMILY if name in pins]
        if not labels:
            return self.build_beside(target.accelerator)
        return next((label for label in labels if label in builds), "pypi" if "pypi" in builds else builds[0])

    def build_beside(self, label: str) -> str:
        """The build that the pins for the build ``label`` were locked for; ``label`` if the file states none.

        A lock for many targets may state several builds.
        """
        builds = self.build.split(",")
        return label if label in builds or not self.build else builds[0]

    @property
    def machine(self) -> BuildMachine | None:
        """The machine that the build was chosen for; None if the file does not state it."""
        if self._comments is None or not self._comments.machine:
            return None
        from torchlock.lock.build_machine import recorded_machine

        found = recorded_machine(self._comments.machine)
        if found is None:
            raise InputError(
                f"the comment '# machine: {one_line(masked(self._comments.machine))}' does not describe a machine",
                path=self._path,
                hint="state it with --gpu, and with --system-lib cuda-driver=VERSION; --gpu host reads this one",
            )
        return found

    def changes(self, target: Target, base: Base | None) -> list[str]:
        """Notes on what a lock for another build, or for no base, changes."""
        notes = []
        before, build = self.build_on(target), target.accelerator
        if before and before != build:
            keeping = f" (to keep it, add --accelerator {before})" if before != "pypi" else ""
            change = f"the build changes from {before} to {build}{keeping}"
            notes.append(f"{change}: nvidia, cuda and triton packages change with it")
        kind, name = ("", "") if self._comments is None else self._comments.base
        if base is None and kind in _OPTIONS:
            lost = f"{self._path} was for {kind} {name}, and this lock is not: it contains the installed packages"
            notes.append(f"{lost} (to keep it, add {_OPTIONS[kind]} {name})")
        return notes

    @cached_property
    def _exists(self) -> bool:
        if self._path is None:
            return False
        return is_existing_output(self._path)

    @cached_property
    def _comments(self) -> LockComments | None:
        """The comments in the file; None if torchlock has not written it."""
        if not self._exists:
            return None
        from torchlock.manifests.lock_comments import read_lock_comments
        from torchlock.report.own_outputs import is_own_lock

        found = read_lock_comments(self.text)
        return found if found.label or is_own_lock(self.text) else None


def is_existing_output(path: str | None) -> bool:
    """Whether a regular file of this name exists, which a result would replace."""
    return path is not None and is_replaced(path) and os.path.isfile(path)


def is_replaced(path: str) -> bool:
    """Whether a file of this name would be replaced, and not written to, like a device.

    Raises:
        InputError: nothing can be written there.
    """
    from torchlock.report.atomic import is_replaceable

    try:
        return is_replaceable(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot be written ({reason})", path=path) from error
