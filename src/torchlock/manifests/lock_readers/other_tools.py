"""The tables of PDM, Rye, Hatch and pixi in pyproject.toml: followed if possible, else noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.redaction import shortened
from torchlock.standards.versions import fault_of_specifier
from torchlock.terms import Origin

if TYPE_CHECKING:
    from torchlock.manifests.lock_readers.table import Table
    from torchlock.terms import Inputs

_PDM = ("tool", "pdm")
_RYE = ("tool", "rye")


def read_other_tools(table: Table, inputs: Inputs) -> None:
    """Read sources and overrides of PDM and Rye, and note the tables that are not read.

    Raises:
        InputError: a value of the wrong type.
    """
    if not table.subtable("tool"):
        return
    _pdm_sources(table, inputs)
    _pdm_overrides(table, inputs)
    for item in table.tables(*_RYE, "sources"):
        _index(
            inputs, item.get("url"), find_links=item.get("type") == "find-links", own=item.get("name") == "default"
        )
    for name, keys in (
        ("[tool.pixi]", ("tool", "pixi", "dependencies")),
        ("[tool.pixi]", ("tool", "pixi", "pypi-dependencies")),
        ("[tool.pixi]", ("tool", "pixi", "pypi-options")),
        ("[tool.hatch.envs]", ("tool", "hatch", "envs")),
        ("[tool.pdm.resolution] excludes", (*_PDM, "resolution", "excludes")),
    ):
        if table.has(*keys):
            inputs.notes.append(f"{table.place(*keys)}: {name} is not followed")


def _pdm_sources(table: Table, inputs: Inputs) -> None:
    for item in table.tables(*_PDM, "source"):
        url, included = item.get("url"), item.get("include_packages")
        if isinstance(included, list) and isinstance(url, str):
            inputs.routes |= {str(pattern).lower(): url for pattern in included}
        if not (isinstance(item.get("exclude_packages"), list) and "*" in item["exclude_packages"]):
            _index(inputs, url, find_links=item.get("type") == "find_links", own=item.get("name") == "pypi")
    if table.get(*_PDM, "resolution", "allow-prereleases") is True:
        inputs.pre = True


def _index(inputs: Inputs, url: object, *, find_links: bool, own: bool) -> None:
    if not isinstance(url, str):
        return
    if find_links:
        inputs.find_links.append(url)
    elif own:
        inputs.index_url = inputs.index_url or url
    else:
        inputs.extra_index_urls.append(url)


def _pdm_overrides(table: Table, inputs: Inputs) -> None:
    """PDM's overrides: a version, a specifier set, or an address, which a lock cannot take."""
    from torchlock.manifests.syntax.requirement import parse_requirement

    where = (*_PDM, "resolution", "overrides")
    for name, value in table.subtable(*where).items():
        specifier = value if isinstance(value, str) and value[:1] in "<>=!~" else f"=={value}"
        if fault_of_specifier(specifier):
            raise table.wrong(f"{shortened(str(value))!r} is not a version", *where, name)
        text = f"{name}{specifier}"
        inputs.overrides.append(parse_requirement(text, Origin(table.path, table.line(*where, name), text)))
