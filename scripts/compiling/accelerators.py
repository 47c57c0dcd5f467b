"""``builds/accelerators.toml`` and ``builds/gpus.toml``: which build runs on which GPU with which driver."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from compiling.values import (
    TableError,
    date_of,
    evidence_kind_of,
    read_toml,
    refuse_unknown,
    tables_of,
    text_of,
    texts_of,
    true_of,
)
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.gpu_names import plain_name

_KEYS = {
    "labels",
    "without_gpu_code",
    "driver",
    "toolkit",
    "toolkit_sources",
    "absent",
    "checked",
    "code",
}
_DRIVER_KEYS = {"cuda", "linux", "windows", "windows_below", "kind", "sources"}
_CODE_KEYS = {
    "package",
    "torch",
    "build",
    "platform",
    "code",
    "ptx",
    "fails",
    "disputed",
    "kind",
    "likely",
    "sources",
}
_GPU_KEYS = {"arch", "title", "names", "first", "last", "ids", "also", "tegra", "integrated", "sources"}
_DRIVER = re.compile(r"\d{3}(\.\d+){0,2}")
_ARCH = re.compile(r"sm_\d{2,3}|gfx[0-9a-f]{3,4}|xpu")
_PTX = re.compile(r"compute_\d{2,3}")
_PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-amd64", "windows-arm64")


def _words(table: dict[str, Any], key: str, pattern: re.Pattern[str]) -> list[str]:
    """The words of an optional value, each of a form."""
    words = text_of(table, key).split() if key in table else []
    for word in words:
        if not pattern.fullmatch(word):
            raise TableError(f"{word!r} is not of the form {pattern.pattern}", key)
    return words


def _cited(table: dict[str, Any], sources: dict[str, dict[str, str]], key: str = "sources") -> list[str]:
    found = texts_of(table, key)
    for source in found:
        if source not in sources:
            raise TableError(f"{source!r} is not in sources.toml", key)
    return found


def _driver_row(table: dict[str, Any], sources: dict[str, dict[str, str]]) -> dict[str, Any]:
    refuse_unknown(table, _DRIVER_KEYS)
    row: dict[str, Any] = {"cuda": text_of(table, "cuda"), "kind": evidence_kind_of(table)}
    row["sources"] = _cited(table, sources)
    for key in ("linux", "windows", "windows_below"):
        if key in table:
            row[key] = text_of(table, key)
            if not _DRIVER.fullmatch(row[key]):
                raise TableError(f"{row[key]!r} is not like 525.60.13", key)
    return row


def _drivers(table: dict[str, Any], sources: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    rows = []
    for number, item in enumerate(tables_of(table, "driver")):
        try:
            rows.append(_driver_row(item, sources))
        except TableError as error:
            raise error.under(f"driver[{number}]") from None
    return rows


def _code_row(table: dict[str, Any], sources: dict[str, dict[str, str]]) -> dict[str, Any]:
    """One row of code, without what it is about (see ``_about``)."""
    refuse_unknown(table, _CODE_KEYS)
    row: dict[str, Any] = {"code": _words(table, "code", _ARCH), "kind": evidence_kind_of(table)}
    row["sources"] = _cited(table, sources)
    for key, pattern in (("ptx", _PTX), ("fails", _ARCH), ("disputed", _ARCH)):
        if words := _words(table, key, pattern):
            row[key] = words
    if "likely" in table:
        row["likely"] = true_of(table, "likely")
    if not row["code"]:
        raise TableError("must name code", "code")
    return row


def _about(table: dict[str, Any]) -> list[str]:
    """The keys of a row: ``package platform build series``, one for each combination."""
    packages, platforms = text_of(table, "package").split(), text_of(table, "platform").split()
    builds, series = text_of(table, "build").split(), _words(table, "torch", re.compile(r"\d{1,2}\.\d{1,2}"))
    for build in builds:
        if not kind_of(build):
            raise TableError(f"{build!r} is not a build", "build")
    for platform in platforms:
        if platform not in _PLATFORMS:
            raise TableError(f"{platform!r} is not one of {', '.join(_PLATFORMS)}", "platform")
    if not series:
        raise TableError("must name a series, like 2.8", "torch")
    return [
        f"{package} {platform} {build} {one}"
        for package in packages
        for platform in platforms
        for build in builds
        for one in series
    ]


def _code(table: dict[str, Any], sources: dict[str, dict[str, str]]) -> tuple[list[Any], dict[str, int]]:
    rows: list[Any] = []
    index: dict[str, int] = {}
    for number, item in enumerate(tables_of(table, "code")):
        try:
            for key in _about(item):
                if index.setdefault(key, len(rows)) != len(rows):
                    raise TableError(f"{key} is there twice")
            rows.append(_code_row(item, sources))
        except TableError as error:
            raise error.under(f"code[{number}]") from None
    return rows, index


def _toolkits(table: dict[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for item in tables_of(table, "toolkit"):
        refuse_unknown(item, {"build", "linux", "windows", "likely"})
        found[text_of(item, "build")] = {key: text_of(item, key) for key in ("linux", "windows") if key in item}
    return found


def _absent(table: dict[str, Any], sources: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    found = []
    for item in tables_of(table, "absent"):
        refuse_unknown(item, {"build", "platform", "because", "kind", "sources"})
        row = {key: text_of(item, key) for key in ("build", "platform", "because")}
        found.append({**row, "kind": evidence_kind_of(item), "sources": _cited(item, sources)})
    return found


def _gpu(table: dict[str, Any], sources: dict[str, dict[str, str]]) -> dict[str, Any]:
    refuse_unknown(table, _GPU_KEYS)
    row: dict[str, Any] = {"arch": text_of(table, "arch"), "title": text_of(table, "title")}
    if not _ARCH.fullmatch(row["arch"]):
        raise TableError(f"{row['arch']!r} is not like sm_86, gfx1100 or xpu", "arch")
    row["names"], row["sources"] = texts_of(table, "names"), _cited(table, sources)
    for key in ("first", "last"):
        if key in table:
            if not isinstance(table[key], int):
                raise TableError("must be the number of a driver branch, like 580", key)
            row[key] = table[key]
    for key in ("also", "ids"):
        if key in table:
            row[key] = texts_of(table, key)
    for key in ("tegra", "integrated"):
        if key in table:
            row[key] = true_of(table, key)
    return row


def _gpus(path: Path, sources: dict[str, dict[str, str]]) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """The GPUs, and the architectures of each name in its plain form."""
    table, gpus = read_toml(path), []
    names: dict[str, list[str]] = {}
    try:
        refuse_unknown(table, {"gpu", "checked"})
        date_of(table, "checked")
        for number, item in enumerate(tables_of(table, "gpu")):
            try:
                gpus.append(_gpu(item, sources))
            except TableError as error:
                raise error.under(f"gpu[{number}]") from None
    except TableError as error:
        error.file = path.name
        raise
    for gpu in gpus:
        for name in gpu["names"]:
            arches = names.setdefault(plain_name(name), [])
            if gpu["arch"] not in arches:
                arches.append(gpu["arch"])
    return gpus, names


def read_accelerators(folder: Path, sources: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Both tables, in the form that ``knowledge/accelerators.py`` reads.

    Raises:
        TableError: a table is not of the form, or a source is not known.
    """
    path = folder / "accelerators.toml"
    table = read_toml(path)
    try:
        refuse_unknown(table, _KEYS)
        rows, index = _code(table, sources)
        labels = text_of({"labels": str(table.get("labels", "")).strip()}, "labels").split()
        found: dict[str, Any] = {
            "labels": labels,
            "without_gpu_code": texts_of(table, "without_gpu_code"),
            "drivers": _drivers(table, sources),
            "toolkits": _toolkits(table),
            "toolkit_sources": _cited(table, sources, "toolkit_sources"),
            "absent": _absent(table, sources),
            "date": date_of(table, "checked"),
            "rows": rows,
            "code": index,
        }
    except TableError as error:
        error.file = path.name
        raise
    found["gpus"], found["names"] = _gpus(folder / "gpus.toml", sources)
    cited = {
        source for key in ("drivers", "absent", "rows", "gpus") for row in found[key] for source in row["sources"]
    }
    cited |= set(found["toolkit_sources"])
    found["sources"] = {source: sources[source] for source in sorted(cited)}
    return found


def driver_statements(accelerators: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of TL202, in the form of a rule file.

    A statement says what certainly fails. So where sources disagree about a floor, it has the lowest one.
    """
    statements = []
    for row in accelerators["drivers"]:
        floors = {"linux": row["linux"], "win32": row.get("windows_below", row["windows"])}
        one = len(set(floors.values())) == 1
        for system, floor in [("", row["linux"])] if one else floors.items():
            marker = f"; sys_platform == '{system}'" if system else ""
            need = "host-cuda-driver>=" + ".".join(str(int(part)) for part in floor.split("."))
            statements.append(
                {
                    "when": f"build-cuda{row['cuda']}{marker}",
                    "needs": [need],
                    "optional": True,
                    "kind": row["kind"],
                    "sources": row["sources"],
                }
            )
    return statements
