"""Tables for the pyproject.toml of a project that pdm locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.report.emit.subject import index_name, plain, quoted

if TYPE_CHECKING:
    from torchlock.report.emit.subject import Subject

_USE = """\
Put these tables into the pyproject.toml of the project, and run:
    pdm lock --python "=={python}.*" --platform {platform}
Without these options, pdm locks for every machine, and these versions are for one."""


def render(subject: Subject) -> str:
    """The versions as overrides, and the sources."""
    platform = subject.lock.target.platform.spelled
    use = _USE.format(python=subject.python, platform=platform)
    lines = [*subject.header(use), *subject.undeclared(), "", "[tool.pdm.resolution.overrides]"]
    lines += [f"{pin.name} = {quoted('==' + plain(pin, 'pdm'))}" for pin in subject.pins]
    for page in dict.fromkeys(subject.pages.values()):
        names = [quoted(name) for name, each in subject.pages.items() if each == page]
        lines += ["", "[[tool.pdm.source]]", f"name = {quoted(index_name(page))}", f"url = {quoted(page)}"]
        lines += [f"include_packages = [{', '.join(names)}]"]
    for kind, address in subject.indexes():
        # pdm calls its default index "pypi".
        name = "pypi" if kind == "index" else index_name(address)
        lines += ["", "[[tool.pdm.source]]", f"name = {quoted(name)}", f"url = {quoted(address)}"]
        lines += ['type = "find_links"'] if kind == "links" else []
    return "\n".join(lines) + "\n"
