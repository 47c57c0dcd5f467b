"""What a lock of torchlock says about its build, machine and base: comments in its header, in each format."""

from __future__ import annotations

import re

from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The comments are in the header: a lock without them is not searched to its end.
_HEADER = 4000
_BUILDS = pattern(r"# builds: (\S{1,40}) of (\S{1,1000})")
_MACHINE = pattern(r"# machine: (.{1,1000})")
_BASE = pattern(r"# (base image|environment): (.{1,1000})")
# The width of the lines that list packages.
_WIDTH = 110
_KEPT = "# already installed: "
_HOW = "# to install the others: pip install -r FILE, or uv pip install --no-deps -r FILE"


# The target of a lock: of requirements for one target, of pylock.toml, and the list of many.
_TARGET = pattern(
    r"^(?:# for (Python .{1,200}), from compatibility data of |target = \"([^\"\n]{1,200})\"$)", re.MULTILINE
)
_TARGETS = pattern(
    r"^# Each of these targets was solved and judged by itself:\n((?:#     [^\n]{1,1000}\n){1,200})", re.MULTILINE
)


class LockComments(NamedTuple):
    """``label`` is the build of a lock (``cu128``), ``root`` the address of the index that has it.

    ``machine`` describes the GPU and the driver for which the build was chosen, ``held_back`` the newer builds
    that they forbid. ``base`` is what the lock is installed into (``base image`` and its name), ``kept`` the
    packages of it that stay. Each is empty if the lock does not say it; ``held_back`` and ``kept`` are not read.
    """

    label: str = ""
    root: str = ""
    machine: str = ""
    base: tuple[str, str] = ("", "")
    kept: tuple[str, ...] = ()
    held_back: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The comments of a lock, as ``read_lock_comments`` reads them."""
        if self.label:
            yield f"# builds: {self.label} of {self.root}"
        if self.machine:
            yield f"# machine: {self.machine}"
        yield from (f"# held back: {said}" for said in self.held_back)
        if any(self.base):
            yield f"# {': '.join(self.base)}"
            yield from self._kept()

    def _kept(self) -> Iterator[str]:
        """The packages that stay, and how to install the others."""
        from textwrap import wrap

        if self.kept:
            for line in wrap(", ".join(self.kept), _WIDTH - len(_KEPT), break_long_words=False):
                yield f"{_KEPT}{line.rstrip(',')}"
        yield _HOW


def read_lock_comments(text: str) -> LockComments:
    """The comments of a lock; empty for any other text."""
    label = root = machine = ""
    base = ("", "")
    for line in text[:_HEADER].splitlines():
        if match := _BUILDS.fullmatch(line):
            label, root = match.groups()
        elif match := _MACHINE.fullmatch(line):
            machine = match[1].strip()
        elif match := _BASE.fullmatch(line):
            base = (match[1], match[2].strip())
    return LockComments(label, root, machine, base)


def stated_target(text: str) -> str:
    """The target, or the targets, that a lock of torchlock was built for; "" for any other text."""
    many = _TARGETS.search(text)
    if many:
        return "; ".join(line.removeprefix("#").strip() for line in many[1].splitlines())
    one = _TARGET.search(text)
    return (one[1] or one[2]) if one else ""
