"""pipenv's Pipfile and Pipfile.lock."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.answers import Unknown
from torchlock.knowledge.indexes import is_public
from torchlock.location import Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.document import Entry
from torchlock.manifests.syntax.json_text import value_of
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.repositories import repository_address
from torchlock.manifests.syntax.toml_blocks import locked_entry, strings, tables
from torchlock.manifests.toml_builder import TomlBuilder
from torchlock.patterns import pattern
from torchlock.redaction import shortened
from torchlock.standards.markers import parsed
from torchlock.standards.names import normalise
from torchlock.standards.versions import fault_of_specifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document

# Tables of a Pipfile without packages; every other table is a category of packages.
_OTHERS = {"source", "requires", "scripts", "pipenv", "packages"}
_MARKERS = (
    "os_name",
    "sys_platform",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_version",
    "python_full_version",
    "implementation_name",
    "implementation_version",
)
_SHAPES = {"table": ("packages", "dev-packages", "pipenv", "requires"), "list of tables": ("source",)}
_REPOSITORIES = ("git", "hg", "svn", "bzr")
_SOURCES = (*_REPOSITORIES, "path", "file")
_PACKAGE_SHAPES = {
    "string": (*_MARKERS, *_SOURCES, "index", "markers", "ref", "subdirectory"),
    "boolean": ("editable",),
}
_VERSION = pattern(r"\d+(\.\d+)*\Z")
_OPERATOR = pattern(r"\s*(===|==|~=|!=|<=|>=|<|>)")
# A string, closed or not, and the table that it names; or any other brace.
_TOKEN = pattern(r'"(?P<string>(?:[^"\\\n]|\\[^\n])*)"?(?P<opens>\s*:\s*\{)?|[{}]')
_CATEGORY = pattern(r'^[ \t]*"(?P<name>[\w.-]+)"\s*:\s*\{\s*(?="[^"\n]*"\s*:\s*\{|\})', re.MULTILINE)


def read(text: str, path: str) -> Document:
    """Read a Pipfile, as a text with its line ends."""
    builder = TomlBuilder(text, path, "pipfile")
    builder.shapes(_SHAPES)
    builder.shape("boolean", "pipenv", "allow_prereleases")
    addresses = _sources(builder)
    _python(builder)
    builder.document.pre = builder.tree.get("pipenv", "allow_prereleases") is True
    categories = [name for name, value in builder.tree.items() if name not in _OTHERS and isinstance(value, dict)]
    for category in ("packages", *categories):
        scope = "" if category == "packages" else builder.declare_group(category, builder.tree.offset(category))
        for name, value in builder.tree.items(category):
            builder.add([_entry(builder, category, name, value, scope, addresses)])
    return builder.document


def read_lock(text: str, path: str) -> Document:
    """Read a Pipfile.lock, as a text with its line ends; of an invalid one, the packages that can be read."""
    builder = DocumentBuilder(text, path, "pipfile.lock")
    document = builder.document
    document.locked = True
    table = _json(builder)
    meta = table.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    python = meta.get("requires")
    if isinstance(python, dict):
        _declared(builder, python, text.find('"requires"'))
    addresses = {}
    for number, source in enumerate(tables(meta.get("sources"))):
        url, name = source.get("url"), source.get("name")
        if isinstance(url, str):
            addresses[name if isinstance(name, str) else url] = url
            if number == 0:  # The packages from the other sources name their source.
                builder.index("index", url, max(text.find(json.dumps(url)), 0))
    document.entries += _locked(builder, addresses)
    return document


def _sources(builder: TomlBuilder) -> dict[str, str]:
    """The addresses by their names. Packages without a source come from the first one."""
    addresses: dict[str, str] = {}
    for number in range(len(builder.tree.array("source"))):
        url = builder.tree.string("source", number, "url")
        if not url:
            builder.fault("a source has no url", builder.tree.offset("source", number))
        else:
            name = builder.tree.string("source", number, "name") or url
            addresses[name] = url
            at = builder.tree.offset("source", number, "url")
            builder.index("extra" if number else "index", url, at, tool="pipenv", name=name)
    return addresses


def _python(builder: TomlBuilder) -> None:
    requires = {key: value for key, value in builder.tree.items("requires") if isinstance(value, str)}
    for key in ("python_full_version", "python_version"):
        builder.shape("string", "requires", key)
        if key in requires:
            _check_python(builder, key, requires[key])
            _declared(builder, {key: requires[key]}, builder.tree.offset("requires", key))


def _check_python(builder: TomlBuilder, key: str, value: str) -> None:
    if _OPERATOR.match(value):
        fits = not fault_of_specifier(value)
    else:
        fits = value in ("", "*") or _VERSION.match(value) is not None
    if not fits:
        message = f"requires.{key}: {shortened(value)!r} is not a version of Python"
        builder.fault(message, builder.tree.offset("requires", key))


def _declared(builder: DocumentBuilder, requires: dict[str, Any], at: int | None) -> None:
    full, version = requires.get("python_full_version"), requires.get("python_version")
    for value, star in ((full, ""), (version, ".*")):
        if isinstance(value, str) and _VERSION.match(value):
            builder.python(f"=={value}{star}", at)
        elif isinstance(value, str) and _OPERATOR.match(value):
            builder.python(value, at)


def _entry(
    builder: TomlBuilder, category: str, name: str, value: object, scope: str, addresses: dict[str, str]
) -> Entry | None:
    """One package, its version a string or a key of its table."""
    builder.shapes(_PACKAGE_SHAPES, category, name)
    table = value if isinstance(value, dict) else {"version": value}
    path = (category, name, "version") if isinstance(value, dict) else (category, name)
    written = table.get("version", "*")
    specifier = _specifier(written) if isinstance(written, str) else None
    span = builder.tree.content(*path)
    at = builder.tree.keys.get((category, name), builder.tree.offset(category, name))
    if specifier is None:
        message = f"{name}: {str(written)[:200]!r} is not a version specifier"
        builder.issue("TL501", "error", message, at)
        return None
    located = "://" in name  # pipenv also accepts an address as the name.
    url = name if located else _url(table)
    return Entry(
        "" if located else normalise(name),
        specifier,
        builder.place(at),
        name if located else f"{name}{specifier}",
        builder.path,
        marker=_marker(table),
        extras=tuple(sorted(_listed(table.get("extras")))),
        version=Span(*span) if span is not None and url is None else None,
        scope=scope,
        index=_index(builder, table.get("index"), addresses, at),
        hashes=tuple(strings(table.get("hashes"))),
        url=url,
        editable=table.get("editable") is True,
    )


def _listed(value: object) -> list[str]:
    """The strings of a list; as in pipenv, a single string is a list of one."""
    return [value] if isinstance(value, str) else list(strings(value))


def _url(table: dict[str, Any]) -> str | None:
    """The source of a package that is not from an index, if the Pipfile names one."""
    kind = next((key for key in _SOURCES if isinstance(table.get(key), str)), None)
    if kind is None:
        return None
    address = str(table[kind])
    return repository_address(kind, address, table) if kind in _REPOSITORIES else address


def _index(builder: TomlBuilder, name: object, addresses: dict[str, str], at: int | None) -> str | None:
    """The source of a package: the one that it names, else the first one; None if pipenv searches all."""
    if isinstance(name, str):
        if name not in addresses and not is_public(name):
            builder.refuse(f"unknown source {name!r}", at)
        return addresses.get(name, name)
    if len(addresses) < 2 or builder.tree.get("pipenv", "install_search_all_sources") is True:
        return None
    return next(iter(addresses.values()))


def _specifier(written: str) -> str | None:
    """A version of a Pipfile as a PEP 440 specifier; a bare version is exact."""
    written = written.strip()
    if written in ("*", ""):
        return ""
    found = written if _OPERATOR.match(written) else f"=={written}"
    return None if fault_of_specifier(found) else found


def _marker(table: dict[str, Any]) -> str:
    """``markers`` and the keys named after marker variables, joined by ``and``.

    Invalid ``markers`` stay, because they are an issue of the entry.
    """
    written = table["markers"] if isinstance(table.get("markers"), str) else ""
    marker = parsed(written)
    found = written if isinstance(marker, Unknown) else str(marker or "")
    for part in [f"{key} {table[key]}" for key in _MARKERS if isinstance(table.get(key), str)]:
        marker = parsed(part)
        found = both(found, part if isinstance(marker, Unknown) else str(marker))
    return found


def _json(builder: DocumentBuilder) -> dict[str, Any]:
    table = value_of(builder)
    if isinstance(table, dict):
        return table
    if not builder.document.issues:
        builder.issue("TL501", "error", "not a valid Pipfile.lock: it is not a table", 0)
    return {}


def _locked(builder: DocumentBuilder, addresses: dict[str, str]) -> Iterator[Entry]:
    """The packages of all categories: flat tables with a version or a source."""
    scopes = [(match.start(), match["name"]) for match in _CATEGORY.finditer(builder.text)]
    number = -1
    for flat in _flat(builder.text):
        while number + 1 < len(scopes) and scopes[number + 1][0] < flat.start:
            number += 1
        category = scopes[number][1] if number >= 0 else "default"
        if category != "_meta" and (entry := _pinned(builder, flat, category, addresses)) is not None:
            yield entry


class _Flat(NamedTuple):
    """A table without nested tables; ``start`` is the offset of its name, ``at`` that of its content."""

    name: str
    start: int
    inside: str
    at: int


def _flat(text: str) -> Iterator[_Flat]:
    opened: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        if token[0] == "}" and opened is not None:
            at = opened.end()
            yield _Flat(opened["string"], opened.start(), text[at : token.start()], at)
        if token["opens"] or token[0] in "{}":
            opened = token if token["opens"] else None


def _pinned(builder: DocumentBuilder, flat: _Flat, category: str, addresses: dict[str, str]) -> Entry | None:
    try:
        table = json.loads(f"{{{flat.inside}}}")
    except (ValueError, RecursionError):
        # For example a table with a merge conflict.
        found = re.search(r'"version"\s*:\s*"([^"\n]+)"', flat.inside)
        table = {"version": found[1]} if found else {}
    version = table.get("version")
    url = next((f"git+{table[key]}" if key == "git" else table[key]
                for key in ("git", "path", "file") if isinstance(table.get(key), str)), None)  # fmt: skip
    if not isinstance(version, str) and url is None:
        return None
    pin = version.removeprefix("==") if isinstance(version, str) else ""
    named = re.search(r'"version"\s*:', flat.inside)
    at = flat.at + named.start() if named else flat.start
    index = table.get("index")
    address = addresses.get(index, index) if isinstance(index, str) else None
    marker = table.get("markers")
    scope = {"default": "", "develop": "group:dev-packages"}.get(category, f"group:{category}")
    return locked_entry(
        flat.name,
        pin,
        builder.place(at).line,
        builder.path,
        scope=scope,
        marker=marker if isinstance(marker, str) else "",
        hashes=tuple(strings(table.get("hashes"))),
        index=None if address is None or is_public(address) else address,
        url=url,
    )
