"""``builds/images.toml``: what is in base images, by the tags of the images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from compiling.values import (
    TableError,
    choice_of,
    date_of,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    specifier_of,
    tables_of,
    text_of,
    texts_of,
)
from torchlock.knowledge.build_labels import kind_of

_FAMILY_KEYS = {
    "id",
    "title",
    "names",
    "tag",
    "vendor",
    "platforms",
    "may_hold",
    "unknown",
    "kind",
    "sources",
    "checked",
    "row",
}
_ROW_KEYS = {
    "torch",
    "tags",
    "cuda",
    "platform",
    "python",
    "libc",
    "channel",
    "build",
    "version",
    "companions",
    "may_hold",
    "holds",
    "kind",
    "sources",
}
_GROUPS = {"torch", "cuda", "python", "ubuntu", "release"}
_PLATFORMS = ("linux-x86_64", "linux-aarch64")
_COMPANIONS = ("torchvision", "torchaudio")


def read_images(
    path: Path, sources: dict[str, dict[str, str]], systems: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The families of images with their rows, the releases that belong together, and the images without torch.

    Raises:
        TableError: the table is not of the form, or a source is not known.
    """
    table = read_toml(path)
    try:
        refuse_unknown(table, {"bare", "family", "trains"})
        trains = _trains(table)
        bare = _bare(table.get("bare", {}), sources, systems)
        families = []
        for number, item in enumerate(tables_of(table, "family")):
            try:
                families.append(_family(item, sources))
            except TableError as error:
                raise error.under(f"family[{number}]") from None
    except TableError as error:
        error.file = path.name
        raise
    return {"bare": bare, "families": families, "trains": trains}


def _bare(
    item: dict[str, Any], sources: dict[str, dict[str, str]], systems: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The patterns, and each word of a name with the C library and the Python of the system that it names."""
    try:
        refuse_unknown(item, {"names", "python", "pip", "systems", "kind", "sources", "checked"})
        words: dict[str, Any] = {}
        pythons: dict[str, Any] = {}
        for identifier in item.get("systems", {}):
            if identifier not in systems or "libc" not in systems[identifier]:
                raise TableError(f"{identifier!r} is not a system with a known C library", "systems")
            for word in texts_of(item["systems"], identifier):
                words[word] = systems[identifier]["libc"]
                pythons |= {word: systems[identifier]["python"]} if "python" in systems[identifier] else {}
        return {
            "names": _pattern(item, "names", set()),
            "python": _pattern(item, "python", set()),
            "words": words,
            "pythons": pythons,
            "pip": {python: text_of(item["pip"], python) for python in item.get("pip", {})},
            **_evidence(item, sources),
            "checked": date_of(item, "checked"),
        }
    except TableError as error:
        raise error.under("bare") from None


def _trains(table: dict[str, Any]) -> dict[str, dict[str, str]]:
    trains = {}
    for number, row in enumerate(table.get("trains", ())):
        if not isinstance(row, list) or len(row) != 3 or not all(isinstance(cell, str) for cell in row):
            raise TableError("must be a list of three texts: torch, torchvision, torchaudio", f"trains[{number}]")
        for cell in filter(None, row):
            _version(cell, f"trains[{number}]")
        trains[row[0]] = {name: version for name, version in zip(_COMPANIONS, row[1:], strict=True) if version}
    return trains


def _family(item: dict[str, Any], sources: dict[str, dict[str, str]]) -> dict[str, Any]:
    refuse_unknown(item, _FAMILY_KEYS)
    family: dict[str, Any] = {
        "id": text_of(item, "id"),
        "title": text_of(item, "title"),
        "names": _pattern(item, "names", set()),
        **_evidence(item, sources),
        "checked": date_of(item, "checked"),
    }
    if "tag" in item:
        family["tag"] = _pattern(item, "tag", _GROUPS)
    for key in ("vendor", "unknown"):
        if key in item:
            family[key] = text_of(item, key)
    for key in ("platforms", "may_hold"):
        if key in item:
            family[key] = texts_of(item, key)
    if not set(family.get("platforms", ())) <= set(_PLATFORMS):
        raise TableError(f"must be some of {', '.join(_PLATFORMS)}", "platforms")
    rows = []
    for number, row in enumerate(tables_of(item, "row")):
        try:
            rows.append(_row(row, sources))
        except TableError as error:
            raise error.under(f"row[{number}]") from None
    if rows and "tag" not in family:
        raise TableError("rows need a pattern of the tags", "tag")
    return {**family, "rows": rows}


def _row(item: dict[str, Any], sources: dict[str, dict[str, str]]) -> dict[str, Any]:
    refuse_unknown(item, _ROW_KEYS)
    if ("torch" in item) == ("tags" in item):
        raise TableError("a row names either releases of torch or tags")
    row: dict[str, Any] = _evidence(item, sources, partly=True)
    if "torch" in item:
        row["torch"] = specifier_of(item, "torch")
    for key in ("tags", "companions", "may_hold"):
        if key in item:
            row[key] = texts_of(item, key)
    for key in ("cuda", "python"):
        if key in item:
            row[key] = _version(text_of(item, key), key)
    if "platform" in item:
        row["platform"] = choice_of(item, "platform", _PLATFORMS)
    if "channel" in item:
        row["channel"] = choice_of(item, "channel", ("conda",))
    if "libc" in item:
        row["libc"] = text_of(item, "libc")
        if not re.fullmatch(r"(glibc|musl) \d+(\.\d+)+", row["libc"]):
            raise TableError("must be like 'glibc 2.36'", "libc")
    if "build" in item:
        row["build"] = text_of(item, "build")
        if not kind_of(row["build"].replace("{cuda}", "128")):
            raise TableError("must be like cpu, cu128 or cu{cuda}", "build")
    if "version" in item:
        row["version"] = _version(text_of(item, "version"), "version")
    if not set(row.get("companions", ())) <= set(_COMPANIONS):
        raise TableError(f"must be some of {', '.join(_COMPANIONS)}", "companions")
    row["holds"] = {canonicalize_name(name): _version(held, f"holds.{name}") for name, held in _holds(item)}
    return row


def _holds(item: dict[str, Any]) -> list[tuple[str, str]]:
    held = item.get("holds", {})
    if not isinstance(held, dict) or not all(isinstance(version, str) for version in held.values()):
        raise TableError("must be a table of versions", "holds")
    return list(held.items())


def _evidence(item: dict[str, Any], sources: dict[str, dict[str, str]], *, partly: bool = False) -> dict[str, Any]:
    """The kind and the sources; with ``partly``, those that are there."""
    found: dict[str, Any] = {}
    if "kind" in item or not partly:
        found["kind"] = evidence_kind_of(item)
    if "sources" in item or not partly:
        found["sources"] = texts_of(item, "sources")
    for source in found.get("sources", ()):
        if source not in sources:
            raise TableError(f"{source!r} is not in sources.toml", "sources")
    return found


def _pattern(item: dict[str, Any], key: str, groups: set[str]) -> str:
    text = text_of(item, key)
    try:
        found = re.compile(text)
    except re.error as error:
        raise TableError(f"is not a regular expression: {error}", key) from None
    if not set(found.groupindex) <= groups:
        raise TableError(f"its groups must be some of {', '.join(sorted(groups))}", key)
    return text


def _version(text: str, key: str) -> str:
    try:
        Version(text)
    except InvalidVersion:
        raise TableError(f"{text!r} is not a version", key) from None
    return text
