"""Tables for the pyproject.toml of a project that uv locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.report.emit.subject import index_name, marker_of, plain, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.report.emit.subject import Subject

_USE = """\
Put these tables into the pyproject.toml of the project, and run: uv lock
Packages with an entry in [tool.uv.sources] have to be in the dependencies of the project."""


def render(subject: Subject) -> str:
    """The versions as constraints, the indexes, and the environment that they are for."""
    lines = [*subject.header(_USE), *subject.undeclared(), "", "[tool.uv]", "constraint-dependencies = ["]
    lines += [f"    {quoted(_constraint(pin.name, plain(pin, 'uv'), pin.marker))}," for pin in subject.pins]
    marker = quoted(marker_of(subject.lock.target))
    lines += ["]", f"environments = [{marker}]", f"required-environments = [{marker}]"]
    pages = subject.pages
    if pages:
        lines += ["", "[tool.uv.sources]"]
        lines += [f"{name} = {{ index = {quoted(index_name(page))} }}" for name, page in pages.items()]
    for page in dict.fromkeys(pages.values()):
        lines += _index(index_name(page), page, "explicit = true")
    for kind, address in subject.indexes():
        rest = {"index": "default = true", "links": 'format = "flat"'}.get(kind, "")
        lines += _index(index_name(address), address, rest)
    return "\n".join(lines) + "\n"


def _constraint(name: str, version: str, marker: str) -> str:
    return f"{name}=={version}" + (f" ; {marker}" if marker else "")


def _index(name: str, address: str, rest: str) -> Iterator[str]:
    yield from ("", "[[tool.uv.index]]", f"name = {quoted(name)}", f"url = {quoted(address)}")
    if rest:
        yield rest
