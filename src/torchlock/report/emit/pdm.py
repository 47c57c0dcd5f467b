"""Tables for the pyproject.toml of a project that pdm locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.report.emit.subject import index_name, of_one_target, plain, quoted

if TYPE_CHECKING:
    from torchlock.report.emit.subject import Subject

USE = """\
Put these tables into the pyproject.toml of the project, and run:
    pdm lock --python "=={python}.*" --platform {platform}
Without these options, pdm locks for every machine, and these versions are for one."""


def render(subject: Subject) -> str:
    """The versions as overrides, and the sources.

    Raises:
        InputError: there are several targets; an override has no marker.
    """
    of_one_target(subject, "pdm")
    use = USE.format(python=subject.python, platform=subject.target.platform.spelled)
    lines = [*subject.header(use), *subject.undeclared(), "", "[tool.pdm.resolution.overrides]"]
    lines += [f"{each.pin.name} = {quoted('==' + plain(each.pin, 'pdm'))}" for each in subject.pins]
    for page, names in subject.pages.items():
        lines += ["", "[[tool.pdm.source]]", f"name = {quoted(index_name(page))}", f"url = {quoted(page)}"]
        lines += [f"include_packages = [{', '.join(map(quoted, names))}]"]
    for kind, address in subject.indexes():
        # pdm calls its default index "pypi".
        name = "pypi" if kind == "index" else index_name(address)
        lines += ["", "[[tool.pdm.source]]", f"name = {quoted(name)}", f"url = {quoted(address)}"]
        lines += ['type = "find_links"'] if kind == "links" else []
    return "\n".join(lines) + "\n"
