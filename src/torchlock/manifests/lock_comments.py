"""What a lock of torchlock says about its build and its machine: comments in its header, in each format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# The comments are in the header: a lock without them is not searched to its end.
_HEADER = 4000
_BUILDS = re.compile(r"# builds: (\S{1,40}) of (\S{1,1000})")
_MACHINE = re.compile(r"# machine: (.{1,1000})")


class LockComments(NamedTuple):
    """``label`` is the build of a lock (``cu128``), ``root`` the address of the index that has it.

    ``machine`` describes the GPU and the driver for which the build was chosen. Each is "" if the lock does not
    say it.
    """

    label: str = ""
    root: str = ""
    machine: str = ""

    def lines(self) -> Iterator[str]:
        """The comments of a lock, as ``read_lock_comments`` reads them."""
        if self.label:
            yield f"# builds: {self.label} of {self.root}"
        if self.machine:
            yield f"# machine: {self.machine}"


def read_lock_comments(text: str) -> LockComments:
    """The comments of a lock; empty for any other text."""
    label = root = machine = ""
    for line in text[:_HEADER].splitlines():
        if match := _BUILDS.fullmatch(line):
            label, root = match.groups()
        elif match := _MACHINE.fullmatch(line):
            machine = match[1].strip()
    return LockComments(label, root, machine)
