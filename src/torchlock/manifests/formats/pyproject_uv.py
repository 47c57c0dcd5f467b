"""uv's tables in pyproject.toml: indexes, sources, constraints, overrides, environments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from torchlock.manifests.overrides import override
from torchlock.manifests.syntax.markers import both, negated, part_extra
from torchlock.redaction import shortened
from torchlock.standards.markers import fault_of
from torchlock.target import PLATFORMS, PYTHONS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Entry
    from torchlock.manifests.toml_builder import TomlBuilder

_OWN = ("tool", "uv")


@dataclass
class _Source:
    """Where a package comes from: an index, or an address of its own; in one scope, or with "" in all."""

    index: str | None
    url: str | None
    marker: str
    scope: str


def read(builder: TomlBuilder) -> None:
    """Take up what ``[tool.uv]`` says, and apply it to the entries there are."""
    if builder.tree.items(*_OWN):
        _Uv(builder).read()


class _Uv:
    def __init__(self, builder: TomlBuilder) -> None:
        self._sheet = builder
        self._tree = builder.tree
        self._urls: dict[str, str] = {}

    def read(self) -> None:
        builder, document = self._sheet, self._sheet.document
        self._indexes()
        builder.add(builder.listed(*_OWN, "dev-dependencies", scope="group:dev"))
        builder.add(map(_in_extra, builder.listed(*_OWN, "constraint-dependencies", constraint=True)))
        override(document, builder.listed(*_OWN, "override-dependencies"))
        sources: dict[str, list[_Source]] = {
            canonicalize_name(key): self._sources(key, value) for key, value in self._tree.items(*_OWN, "sources")
        }
        document.entries = [
            sourced for entry in document.entries for sourced in _sourced(entry, sources.get(entry.name, []))
        ]
        if self._tree.string(*_OWN, "prerelease") == "allow":
            document.pre = True
        self._platforms()

    def _indexes(self) -> None:
        for number, item in enumerate(self._tree.array(*_OWN, "index")):
            if isinstance(item, dict) and isinstance(item.get("url"), str):
                self._index(item, self._tree.offset(*_OWN, "index", number, "url"))
        for where in (_OWN, (*_OWN, "pip")):
            for key, kind in (("index-url", "index"), ("extra-index-url", "extra"), ("find-links", "find-links")):
                for address, at in self._sheet.strings(*where, key):
                    self._sheet.index(kind, address, at)
            if self._tree.get(*where, "no-index") is True:
                self._sheet.index("no-index", "", self._tree.offset(*where, "no-index"))

    def _index(self, item: dict[str, Any], at: int | None) -> None:
        if isinstance(item.get("name"), str):
            self._urls[item["name"]] = item["url"]
        if item.get("explicit") is not True:
            kind = (
                "find-links"
                if item.get("format") == "flat"
                else "index"
                if item.get("default") is True
                else "extra"
            )
            self._sheet.index(kind, item["url"], at)

    def _sources(self, key: str, value: object) -> list[_Source]:
        items = value if isinstance(value, list) else [value]
        return [self._source(key, item) for item in items if isinstance(item, dict)]

    def _source(self, key: str, item: dict[str, Any]) -> _Source:
        texts = {key: value for key, value in item.items() if isinstance(value, str)}
        scope = next(
            (f"{kind}:{canonicalize_name(texts[kind])}" for kind in ("extra", "group") if kind in texts), ""
        )
        marker = texts.get("marker", "")
        index = texts.get("index")
        url = f"git+{texts['git']}" if "git" in texts else texts.get("url", texts.get("path"))
        if item.get("workspace") is True:
            url = "."
        if not self._valid(marker, f"tool.uv.sources.{key}", self._tree.offset(*_OWN, "sources", key)):
            marker = ""
        return _Source(self._urls.get(index, index) if index else None, url, marker, scope)

    def _valid(self, marker: str, where: str, at: int | None) -> bool:
        """Whether a marker has a value, as uv wants it; a problem (TL501) where it has none."""
        fault = fault_of(marker)
        if fault and self._tree.error is None:
            message = f"{where}: {shortened(marker)!r} is not a marker: {fault}"
            self._sheet.issue("TL501", "error", message, at)
        return not fault

    def _platforms(self) -> None:
        """The platforms that the project is locked for, else those that it must have wheels for."""
        for key in ("environments", "required-environments"):
            strings = self._sheet.strings(*_OWN, key)
            markers = [marker for marker, at in strings if self._valid(marker, f"tool.uv.{key}", at)]
            if markers:
                self._sheet.document.platforms = tuple(
                    platform for platform in PLATFORMS if any(_somewhere(marker, platform) for marker in markers)
                )
                return


def _somewhere(marker: str, platform: str) -> bool:
    """Whether a marker holds on a platform with any Python."""
    return any(
        Target(PythonVersion.parse(f"3.{minor}"), Platform.parse(platform)).holds(marker) for minor in PYTHONS
    )


def _in_extra(entry: Entry) -> Entry:
    """A constraint for an extra, as an entry in the extra's scope."""
    extra, marker = part_extra(entry.marker)
    return replace(entry, scope=f"extra:{canonicalize_name(extra)}", marker=marker) if extra else entry


def _sourced(entry: Entry, sources: list[_Source]) -> Iterator[Entry]:
    """An entry for each of its sources, and one for where none of them applies."""
    fitting = [source for source in sources if source.scope in ("", entry.scope)]
    for source in fitting:
        version = entry.version if source.url is None else None
        yield replace(
            entry,
            marker=both(entry.marker, source.marker),
            index=source.index,
            url=source.url if source.url is not None else entry.url,
            version=version,
        )
    rest = [negated(source.marker) if source.marker else None for source in fitting]
    if None not in rest:
        yield replace(entry, marker=both(entry.marker, *(marker for marker in rest if marker)))
