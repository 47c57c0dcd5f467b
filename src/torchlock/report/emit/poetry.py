"""Tables for the pyproject.toml of a project that poetry locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.report.emit.subject import index_name, plain, quoted

if TYPE_CHECKING:
    from torchlock.lock import Pin
    from torchlock.report.emit.subject import Subject

_USE = """\
Put these tables into the pyproject.toml of the project in place of its own entries for these packages,
and run: poetry lock"""


def render(subject: Subject) -> str:
    """The packages that were chosen, with their versions and sources. Poetry has no constraints: others are open.

    Raises:
        InputError: a folder of files, which poetry cannot use as a source.
    """
    major, minor = subject.python.split(".")
    lines = [*subject.header(_USE), "", "[tool.poetry.dependencies]"]
    lines.append(f'python = ">={subject.python},<{major}.{int(minor) + 1}"')
    lines += [f"{pin.name} = {_value(pin, subject)}" for pin in subject.chosen]
    sources = [(page, "explicit") for page in dict.fromkeys(subject.pages.values())]
    for kind, address in subject.indexes():
        if kind == "links":
            raise InputError(f"--emit poetry: poetry has no --find-links ({address})")
        sources.append((address, "primary" if kind == "index" else "supplemental"))
    for address, priority in sources:
        lines += ["", "[[tool.poetry.source]]", f"name = {quoted(index_name(address))}"]
        lines += [f"url = {quoted(address)}", f"priority = {quoted(priority)}"]
    return "\n".join(lines) + "\n"


def _value(pin: Pin, subject: Subject) -> str:
    version = quoted(f"=={plain(pin, 'poetry')}")
    parts = [f"version = {version}"]
    if pin.extras:
        parts.append(f"extras = [{', '.join(map(quoted, pin.extras))}]")
    if pin.name in subject.pages:
        parts.append(f"source = {quoted(index_name(subject.pages[pin.name]))}")
    if pin.marker:
        parts.append(f"markers = {quoted(pin.marker)}")
    return version if len(parts) == 1 else f"{{ {', '.join(parts)} }}"
