"""The tracebacks of a log, and how they are linked: which exception another one followed from."""

from __future__ import annotations

import re
from typing import NamedTuple

from torchlock.check.log_facts import frames_in
from torchlock.knowledge.stack import STACK

_HEADER = "Traceback (most recent call last)"
_HANDLED = "During handling of the above exception, another exception occurred"
_CAUSED = "The above exception was the direct cause of the following exception"
# The folders in which pip and uv build a package apart from what is installed.
_ISOLATED = re.compile(r"[/\\](?:pip-build-env-\w{1,20}|builds-v\d{1,3})[/\\].{0,100}-packages[/\\]")
# More tracebacks than a reader looks at.
_MOST = 2000


class Traceback(NamedTuple):
    """One traceback: the number of its first line, and of its chain of linked tracebacks (from 1).

    ``frames`` are the files of packages in it. ``is_handled``: the program was handling this exception when the
    next one of the chain occurred; it may have expected this one. ``is_isolated``: it is of packages that an
    installer put into an environment for one build.
    """

    line: int
    chain: int
    frames: tuple[str, ...] = ()
    is_handled: bool = False
    is_isolated: bool = False

    @property
    def is_import(self) -> bool:
        """Whether it ends in the import of an installed package of the stack."""
        last = self.frames[-1] if self.frames else ""
        is_of_stack = last.partition("/")[0] in STACK and not last.startswith("torch/utils/")
        return is_of_stack and not self.is_isolated


class Chains:
    """The tracebacks in the lines that were read so far."""

    def __init__(self) -> None:
        self._found = [Traceback(1, 0)]
        self._frames: list[dict[str, None]] = [{}]
        self._is_linked = False

    def read(self, number: int, line: str) -> None:
        """Take what one line says; the first part is what comes before all tracebacks."""
        if _HEADER in line and len(self._found) < _MOST:
            last = self._found[-1]
            self._found.append(Traceback(number, last.chain + (not self._is_linked)))
            self._frames.append({})
            self._is_linked = False
        elif _HANDLED in line or _CAUSED in line:
            self._is_linked = True
            self._found[-1] = self._found[-1]._replace(is_handled=_HANDLED in line)
        self._frames[-1].update((each, None) for each in frames_in(line))
        if "build" in line and _ISOLATED.search(line):
            self._found[-1] = self._found[-1]._replace(is_isolated=True)

    @property
    def tracebacks(self) -> list[Traceback]:
        """The tracebacks in their order; the first entry has what comes before them, and is of chain 0."""
        return [each._replace(frames=tuple(mine)) for each, mine in zip(self._found, self._frames, strict=True)]


def frames_to(tracebacks: tuple[Traceback, ...], line: int) -> tuple[str, ...]:
    """The files of the chain that has a line, those of its own traceback last; all files if no chain has it."""
    own = traceback_of(tracebacks, line)
    chain = own.chain if own is not None else 0
    others = [each for each in tracebacks if each != own and (not chain or each.chain == chain)]
    mine = own.frames if own is not None else ()
    before = dict.fromkeys(frame for each in others for frame in each.frames)
    return (*(each for each in before if each not in mine), *mine)


def traceback_of(tracebacks: tuple[Traceback, ...], line: int) -> Traceback | None:
    """The traceback in which a line is, or which it follows; None if there is none."""
    return next((each for each in reversed(tracebacks) if each.line <= line), None)
