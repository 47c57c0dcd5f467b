"""Where a file sets the variable that an entry takes its version from: ``ARG``, ``ENV``, a shell, a workflow."""

from __future__ import annotations

import re

from torchlock.audit.fix.edits import line_starts
from torchlock.location import Span
from torchlock.patterns import pattern
from torchlock.standards.versions import version_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry

# A version that is one variable: ``==$NAME``, ``==${NAME}``, ``==${{ matrix.name }}``, ``==$(NAME)`` of make.
_USED = pattern(
    r"==[ ]?(?:\$\{\{ {0,3}(?:env|matrix|vars)\.(?P<github>[\w-]{1,60}) {0,3}\}\}|\$\{(?P<braces>\w{1,60})\}"
    r"|\$\((?P<make>\w{1,60})\)|\$(?P<plain>\w{1,60}))(?![\w.+*{$%])"
)
_LONGEST = 200


def value_of(document: Document, entry: Entry) -> Span | None:
    """The place of the version that a variable of this file gives to an entry; None if that is not certain.

    It is certain if one line of the file sets the variable, if its value is the version alone, and if no other
    package takes its version from it.
    """
    name, version = _variable(document, entry), entry.specifier.removeprefix("==").strip()
    if not name or version_of(version) is None:
        return None
    users = [each for each in document.entries if _variable(document, each) == name]
    if any((each.name, each.specifier) != (entry.name, entry.specifier) for each in users):
        return None
    lines = [match for match in _setting(name).finditer(document.text) if match["value"]]
    values = [match for match in lines if match["value"] == version]
    return (
        Span(*values[0].span("value"))
        if len(lines) == len(values) == 1 and not _is_set_again(document, name)
        else None
    )


def _variable(document: Document, entry: Entry) -> str:
    """The variable that is the version of an entry; "" if there is none."""
    if entry.version is not None or entry.path != document.path or not entry.place.column or entry.via.line:
        return ""
    if entry.hashes or entry.url is not None:
        return ""
    start = line_starts(document.text)[entry.place.line - 1] + entry.place.column - 1
    end = document.text.find("\n", start)
    written = document.text[start : end if end >= 0 else None][:_LONGEST]
    match = _USED.match(written, written.find("==")) if "==" in written else None
    before = written[: match.start()] if match else ""
    if match is None or not re.fullmatch(r"""["']?[\w.\-\[\],]{1,100}""", before):
        return ""
    return next(filter(None, match.groups()), "")


def _setting(name: str) -> re.Pattern[str]:
    """A line that sets a variable to one value: with a keyword, in quotes, or as the only item of a list."""
    return re.compile(
        rf"(?m)^[ \t]{{0,40}}(?:- {{1,3}})?(?:(?:ARG|ENV|export|readonly|local|set) {{1,3}})?{re.escape(name)}"
        r"""[ \t]{0,3}(?::=|\?=|=|:|(?<=\s))[ \t]{0,3}(?:\[[ ]?)?["']?(?P<value>[\w.+!-]{0,60})["']?(?:[ ]?\])?"""
        r"[ \t]{0,40}(?:#[^\n]{0,300})?;?\r?$"
    )


def _is_set_again(document: Document, name: str) -> bool:
    """Whether more than one place of the file gives the variable a value, in whatever form."""
    return (
        len(re.findall(rf"(?<![\w.$-]){re.escape(name)}[ \t]{{0,3}}(?::=|\?=|=(?!=)|:(?![-?+]))", document.text))
        > 1
    )
