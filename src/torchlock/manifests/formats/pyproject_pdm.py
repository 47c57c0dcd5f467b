"""PDM's tables in pyproject.toml: development groups, sources, overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.errors import InputError
from torchlock.manifests.document import Entry
from torchlock.manifests.syntax.pep508 import parse_general
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.records import replace
from torchlock.redaction import shortened
from torchlock.standards.names import normalise
from torchlock.standards.versions import fault_of_specifier
from torchlock.terms import Origin

if TYPE_CHECKING:
    from torchlock.manifests.syntax.toml_tokens import Key
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "pdm")
_SHAPES = {"table": ("dev-dependencies", "resolution"), "list of tables": ("source",)}
_FOLDER = "file:///${PROJECT_ROOT}/"


def read(builder: TomlBuilder) -> None:
    """Read ``[tool.pdm]``, in addition to ``[project]``."""
    builder.shapes(_SHAPES, *_OWN, audit=False)
    for group, items in builder.tree.items(*_OWN, "dev-dependencies"):
        with builder.within(
            builder.declare_group(group, builder.tree.offset(*_OWN, "dev-dependencies", group))
        ) as scope:
            builder.shape("list of strings", *_OWN, "dev-dependencies", group, audit=False)
            for number, item in enumerate(items if isinstance(items, list) else ()):
                _development(builder, item, scope, *_OWN, "dev-dependencies", group, number)
    for number, item in enumerate(builder.tree.array(*_OWN, "source")):
        if isinstance(item, dict) and isinstance(item.get("url"), str):
            _source(builder, item, builder.tree.offset(*_OWN, "source", number, "url"))
        else:
            builder.refuse("tool.pdm.source: a source has no url", builder.tree.offset(*_OWN, "source", number))
    if builder.tree.get(*_OWN, "resolution", "allow-prereleases") is True:
        builder.document.pre = True
    excludes = (*_OWN, "resolution", "excludes")
    if builder.tree.array(*excludes):
        builder.note("[tool.pdm.resolution] excludes is ignored", builder.tree.offset(*excludes))
    _overrides(builder)
    document = builder.document
    document.entries = [_in_folder(entry) for entry in document.entries]


def _development(builder: TomlBuilder, item: object, scope: str, *where: Key) -> None:
    """One development dependency: a requirement, an address, or a folder, which may be editable."""
    if not isinstance(item, str):
        return
    editable = item.startswith("-e")
    location = item.removeprefix("-e").strip() if editable else item
    if not editable and parse_general(item) is not None:
        entry = builder.written(*where)
        builder.add([replace(entry, scope=scope)] if entry else [])
        return
    place = builder.place(builder.tree.offset(*where))
    try:
        found = parse_requirement(location, Origin(builder.path, place.line, item), editable=editable)
    except InputError as error:
        builder.issue("TL501", "error", error.message, builder.tree.offset(*where), because=error.hint or "")
        return
    requirement = found.requirement
    builder.add(
        [
            Entry(
                name=normalise(requirement.name) if requirement else "",
                specifier=str(requirement.specifier) if requirement else "",
                place=place,
                text=item,
                path=builder.path,
                marker=str(requirement.marker or "") if requirement else found.marker,
                extras=tuple(sorted(map(normalise, requirement.extras))) if requirement else (),
                scope=scope,
                url=found.url,
                editable=editable,
            )
        ]
    )


def _in_folder(entry: Entry) -> Entry:
    """An entry with the folder of the project instead of pdm's variable for it."""
    if entry.url is None or not entry.url.startswith(_FOLDER):
        return entry
    return replace(entry, url=f"./{entry.url.removeprefix(_FOLDER).partition('#')[0]}")


def _source(builder: TomlBuilder, source: dict[str, Any], at: int | None) -> None:
    """An index; a source called pypi replaces the public index."""
    url = source["url"]
    kind = "index" if source.get("name") == "pypi" else "extra"
    kind = "find-links" if source.get("type") == "find_links" else kind
    included, excluded = (source.get(key) for key in ("include_packages", "exclude_packages"))
    for pattern in included if isinstance(included, list) else ():
        builder.document.routes.setdefault(str(pattern).lower(), url)
    kind = "explicit" if isinstance(excluded, list) and "*" in excluded else kind
    builder.index(kind, url, at, tool="pdm", name=str(source.get("name", "")))


def _overrides(builder: TomlBuilder) -> None:
    where = (*_OWN, "resolution", "overrides")
    builder.shape("table", *where, audit=False)
    for key, value in builder.tree.items(*where):
        if not builder.shape("string", *where, key, audit=False):
            continue
        located = "://" in value
        specifier = "" if located else value if value[:1] in "<>=!~" else f"=={value}"
        at = builder.tree.offset(*where, key)
        if fault_of_specifier(specifier):
            message = f"tool.pdm.resolution.overrides.{key}: {shortened(value)!r} is not a version"
            builder.refuse(message, at)
            continue
        builder.document.overrides.append(
            Entry(
                name=normalise(key),
                specifier=specifier,
                place=builder.place(at),
                text=f"{key} = {value}" if located else f"{key}{specifier}",
                path=builder.path,
                version=None if located else builder.tree.content(*where, key),
                url=value if located else None,
            )
        )
