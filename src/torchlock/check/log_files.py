"""Files of this environment that a log names by their paths."""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.relevance import owner_of_file
from torchlock.finding import Strength
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import MEMBERS, STACK
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding

_OF_SITE = re.compile(r"[/\\](?:site|dist)-packages[/\\](?P<inner>[^'\"\n:,()]{1,300})$")
# dyld describes one failure in so many lines.
_BELOW = 4
# A folder of packages may have any name: then only a file of the stack is known by its path.
_OF_STACK = re.compile(r"[/\\](?P<package>\w{1,60})[/\\](?:lib[/\\])?[\w.+-]{1,100}$")


# dyld names the file that it opens, and then the one that asks for the library or the symbol.
_USER = re.compile(r"Referenced from: {0,8}(?:<[\w-]{1,40}> )?['\"]?(?P<path>/[^'\"\n(]{1,400})")
_OPENED = re.compile(r"(?:tried: |dlopen\()'?(?P<path>/[^'(),]{1,400})")
# As up to macOS 11 it describes the file that it found.
_REFUSED = re.compile(r"'(?P<path>/[^'\n]{1,400})'\s{0,8}\(mach-o")
_FOUND = re.compile(r"(?:Did find:\s{1,8}|^\s{0,8})(?P<path>/[^:\n]{1,400}): ")


class NamedFile(NamedTuple):
    """A file that a log names: its path here, and the installed package that it belongs to."""

    package: str
    path: str

    @property
    def severity(self) -> str:
        """The severity if it does not load: other packages than the stack do not keep torchaudio from it."""
        return severity_of(fails=self.package in MEMBERS and MEMBERS[self.package].effect == "import")

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


def files_of_line(context: CheckContext, log: Log) -> Iterator[NamedFile]:
    """The files here that the first failure of a log names: the one that asks, then the opened one."""
    if log.first is None:
        return
    lines = log.text.split("\n")[log.first.line - 1 : log.first.line + _BELOW]
    users = [match["path"] for match in _USER.finditer("\n".join(lines))][:1]
    opened = [match["path"] for match in _OPENED.finditer(log.first.text)]
    before = log.text.split("\n")[max(0, log.first.line - 2) : log.first.line]
    opened += [match["path"] for match in _REFUSED.finditer("\n".join(before))]
    opened += [match["path"] for match in _FOUND.finditer("\n".join(lines[:_BELOW]))]
    for path in (*users, *reversed(opened[:2]), *opened[2:]):
        if (found := file_here(context, path.strip())) is not None:
            yield found


def file_here(context: CheckContext, path: str) -> NamedFile | None:
    """The file to which a path of a log leads here, by its place below the folder of packages; None if none."""
    found = _OF_SITE.search(path)
    return _in_site(context, found["inner"]) if found is not None else _in_stack(context, path)


def _in_site(context: CheckContext, inner: str) -> NamedFile | None:
    # The libraries of a wheel are named by ``package/../package.libs``.
    parts = posixpath.normpath(inner.replace("\\", "/").strip()).split("/")
    if ".." in parts:
        return None
    for entry in context.environment.sites:
        here = os.path.join(entry.path, *parts)
        if files.is_file(here) and (owner := _owner(context, here, parts[0])):
            return NamedFile(owner, here)
    return None


def _owner(context: CheckContext, path: str, folder: str) -> str:
    """The package that recorded a file; else the one that is called like the folder or module."""
    if recorded := owner_of_file(context, path):
        return recorded
    module = folder.partition(".")[0]
    names = (module, module.replace("_", "-"))
    return next((each for each in names if each in context.pins or context.installed.get(each) is not None), "")


def _in_stack(context: CheckContext, path: str) -> NamedFile | None:
    found = _OF_STACK.search(path)
    name = found["package"] if found is not None else ""
    copy = context.copy(name) if name in STACK and name in context.pins else None
    if found is None or copy is None:
        return None
    parts = path[found.start() + 1 :].replace("\\", "/").split("/")
    here = os.path.join(os.path.dirname(copy.path), *parts)
    return NamedFile(name, here) if files.is_file(here) else None


def is_explained(first: Signature, found: Sequence[Finding]) -> bool:
    """Whether a finding about these files is what the log shows, or is about the likeliest cause of its line."""
    bad = [each for each in found if each.severity != "note"]
    return any(each.strength is Strength.RAN or each.rule == first.rules[0] for each in bad)
