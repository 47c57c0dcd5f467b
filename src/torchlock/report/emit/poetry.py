"""Tables for the pyproject.toml of a project that poetry locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.report.emit.subject import index_name, of_one_build, page_of, plain, quoted

if TYPE_CHECKING:
    from torchlock.lock import Pin
    from torchlock.report.emit.subject import Subject

USE = """\
Put these tables into the pyproject.toml of the project instead of its own entries for these packages,
and run: poetry lock"""


def render(subject: Subject) -> str:
    """The packages that were chosen, with their versions and sources. Poetry has no constraints: others are open.

    Raises:
        InputError: several builds, or a folder of files, which poetry cannot use as a source.
    """
    of_one_build(subject, "poetry")
    lines = [*subject.header(USE), "", "[tool.poetry.dependencies]", f"python = {quoted(subject.pythons)}"]
    values: dict[str, list[str]] = {}
    for each in subject.chosen:
        values.setdefault(each.pin.name, []).append(_value(each.pin))
    lines += [
        f"{name} = {found[0]}" if len(found) == 1 else f"{name} = [{', '.join(map(_table, found))}]"
        for name, found in values.items()
    ]
    sources = [(page, "explicit") for page in subject.pages]
    for kind, address in subject.indexes():
        if kind == "links":
            raise InputError(f"--emit poetry: poetry has no --find-links ({address})")
        sources.append((address, "primary" if kind == "index" else "supplemental"))
    for address, priority in sources:
        lines += ["", "[[tool.poetry.source]]", f"name = {quoted(index_name(address))}"]
        lines += [f"url = {quoted(address)}", f"priority = {quoted(priority)}"]
    return "\n".join(lines) + "\n"


def _table(value: str) -> str:
    return value if value.startswith("{") else f"{{ version = {value} }}"


def _value(pin: Pin) -> str:
    version = quoted(f"=={plain(pin, 'poetry')}")
    parts = [f"version = {version}"]
    if pin.extras:
        parts.append(f"extras = [{', '.join(map(quoted, pin.extras))}]")
    if pin.page:
        parts.append(f"source = {quoted(index_name(page_of(pin)))}")
    if pin.marker:
        parts.append(f"markers = {quoted(pin.marker)}")
    return version if len(parts) == 1 else f"{{ {', '.join(parts)} }}"
