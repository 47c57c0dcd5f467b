#!/usr/bin/env python3
"""Compile the tables that people write to the JSON that the program reads: rules, stack, systems, builds.

    compile_rules.py            write compat_data/compiled/
    compile_rules.py --check    write nothing; exit 1 if it is stale

A rule without statements is one that the audit or the check works out by itself; its grounds stand here.
Everything is validated on the way: unknown keys, requirements that packaging cannot read, missing grounds.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from torchlock.knowledge.builds import kind_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DATA = Path(__file__).parents[1] / "compat_data"
KINDS = ("declared", "measured", "reported")

_STORY_KEYS = ("what", "why", "example", "fix")
_REGISTRY_KEYS = {"severity", "rank", "by", "group", "explains", "hidden_by_error", "whole_file", "prints"}
_RULE_KEYS = {
    "id",
    "title",
    "because",
    "kind",
    "sources",
    "checked",
    "effect",
    "refuse",
    "statement",
    *_STORY_KEYS,
    *_REGISTRY_KEYS,
}
_SEVERITIES = ("error", "warning", "note")
_COMMANDS = ("audit", "check")
_PRINT_KEYS = {"order", "line", "beside", "also", "weight"}
_WEIGHTS = ("echo", "headline", "attempt", "cause")
# Names of libraries occur in the output of every installer. They count only beside one of these words.
_WORDS = {
    "@failure": (
        r"cannot|could ?n[o']t|can't|no such file|not found|not loaded|unable to|failed|missing|error\b|\berr|"
        r"undefined symbol|symbol not found|wrong architecture|incompatible"
    ),
    "@undefined": r"undefined symbol|symbol not found|not defined in",
}
_GROUNDS = {"because", "kind", "sources", "checked"}
_STATEMENT_KEYS = _GROUNDS | {
    "when",
    "wheel",
    "build",
    "needs",
    "forbids",
    "wants",
    "never",
    "bundles",
    "optional",
    "refused",
}
_SAYS = ("needs", "forbids", "wants", "never", "bundles", "refused")
_UNPARTNERED_KEYS = {"torch", "package", "because"}
_SOURCE_KEYS = {"address", "kind", "date", "note"}
_SYSTEM_KEYS = {
    "id",
    "title",
    "platforms",
    "libc",
    "python",
    "install",
    "kind",
    "sources",
    "checked",
    "note",
    "library",
}
_LIBRARY_KEYS = {"version", "packages", "note"}
_BUILDS_KEYS = {"package", "complete", "index", "kind", "sources", "checked", "rows", "never"}
_MEMBER_KEYS = {
    "name",
    "role",
    "conda",
    "effect",
    "vital",
    "rule",
    "labels",
    "earlier",
    "bare",
    "cuda_check",
    "opens",
}
_PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-amd64", "windows-arm64", "macos-arm64", "macos-x86_64")


class TableError(Exception):
    """A table is not of the form. ``key`` is the path inside the file, grown on the way up."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.key = key
        self.file = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)

    def under(self, step: str) -> TableError:
        """The same error, seen from one step further up."""
        self.key = f"{step}.{self.key}" if self.key and not self.key.startswith("[") else f"{step}{self.key}"
        return self


# The readers of single values.


def _known(table: dict[str, Any], keys: set[str]) -> None:
    for key in table:
        if key not in keys:
            raise TableError(f"unknown key; known are {', '.join(sorted(keys))}", key)


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise TableError("must be a text, without space around it", key)
    return value


def _texts(table: dict[str, Any], key: str) -> list[str]:
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise TableError("must be a list of texts, not empty", key)
    return value


def _date(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise TableError("must be a date, like 2026-11-23", key)
    return value.isoformat()


def _kind(table: dict[str, Any]) -> str:
    value = _text(table, "kind")
    if value not in KINDS:
        raise TableError(f"must be one of {', '.join(KINDS)}", "kind")
    return value


def _because(table: dict[str, Any]) -> str:
    value = _text(table, "because")
    if value.endswith(".") or "\n" in value:
        raise TableError('must be a clause that completes "…, because …", without a final full stop', "because")
    return value


def _true(table: dict[str, Any], key: str) -> bool:
    if table[key] is not True:
        raise TableError("must be true, or left out", key)
    return True


def _refused(table: dict[str, Any]) -> str:
    value = _text(table, "refused")
    try:
        Requirement(value)
    except InvalidRequirement:
        return value
    raise TableError(f"{value!r} is a requirement that installers read", "refused")


def requirement_row(text: str, *, braces: bool = False) -> list[Any]:
    """``[name, specifier, marker, [extras]]``, trailing empties left out.

    With ``braces``, {cuda} and {cuda_major} may stand where a version would.
    """
    sample = text.replace("{cuda}", "13.0").replace("{cuda_major}", "13") if braces else text
    try:
        requirement = Requirement(sample)
    except InvalidRequirement as error:
        raise TableError(f"{text!r} is not a requirement: {error}") from error
    if requirement.url:
        raise TableError(f"{text!r} names an address")
    specifier = str(requirement.specifier)
    if sample != text:
        specifier = text.partition(";")[0].removeprefix(requirement.name).strip()
        if "==" + specifier.partition("==")[2] != specifier:
            raise TableError(f"{text!r}: braces may only follow ==")
    row: list[Any] = [
        canonicalize_name(requirement.name),
        specifier,
        "" if requirement.marker is None else str(requirement.marker),
        sorted(canonicalize_name(extra) for extra in requirement.extras),
    ]
    while row and not row[-1]:
        row.pop()
    return row


def _rows(table: dict[str, Any], key: str, *, braces: bool = False) -> list[list[Any]]:
    rows = []
    for number, text in enumerate(_texts(table, key)):
        try:
            rows.append(requirement_row(text, braces=braces))
        except TableError as error:
            raise error.under(f"{key}[{number}]") from None
    return rows


# The readers of tables.


def _statement(table: dict[str, Any], rule: str) -> tuple[str, dict[str, Any]]:
    """One statement, and the name that it speaks of."""
    _known(table, _STATEMENT_KEYS)
    try:
        when = requirement_row(_text(table, "when"))
    except TableError as error:
        raise error if error.key else error.under("when") from None
    if not any(key in table for key in _SAYS):
        raise TableError(f"says nothing: one of {', '.join(_SAYS)} must be there")
    row: dict[str, Any] = {"rule": rule, "when": when}
    if "wheel" in table:
        row["wheel"] = _text(table, "wheel")
    if "build" in table:
        row["build"] = _text(table, "build")
        if row["build"] not in ("cuda", "cpu"):
            raise TableError("must be cuda or cpu", "build")
    if "needs" in table:
        row["needs"] = _rows(table, "needs", braces=True)
        if "{cuda" in str(row["needs"]) and row.get("build") != "cuda":
            raise TableError('braces stand for a CUDA version: build = "cuda" must be there', "needs")
    for key in ("forbids", "wants"):
        if key in table:
            row[key] = _rows(table, key)
    for key in ("never", "optional"):
        if key in table:
            row[key] = _true(table, key)
    if "optional" in table and not all(need[0].startswith("host-") for need in row.get("needs", [["?"]])):
        raise TableError("only goes with needs on host-… names", "optional")
    if "refused" in table:
        row["refused"] = _refused(table)
    if "bundles" in table:
        row["bundles"] = _texts(table, "bundles")
    if "because" in table:
        row["because"] = _because(table)
    if "kind" in table:
        row["kind"] = _kind(table)
    if "sources" in table:
        row["sources"] = _texts(table, "sources")
    if "checked" in table:
        row["checked"] = _date(table, "checked")
    return when[0], row


def _story(table: dict[str, Any]) -> dict[str, str]:
    """What the page of a rule says, in whole sentences."""
    story = {"title": _text(table, "title")}
    for key in _STORY_KEYS:
        story[key] = _text(table, key)
        if not story[key].endswith((".", "`", "…")):
            raise TableError("must end with a full stop", key)
    return story


def _registry(table: dict[str, Any], identifier: str) -> dict[str, Any]:
    """What the program asks about a rule: severity, place among causes, consequences, and what it prints."""
    row: dict[str, Any] = {
        "severity": _text(table, "severity"),
        "rank": table.get("rank"),
        "by": _texts(table, "by"),
    }
    if row["severity"] not in _SEVERITIES:
        raise TableError(f"must be one of {', '.join(_SEVERITIES)}", "severity")
    if type(row["rank"]) is not int or row["rank"] < 1:
        raise TableError("must be a number from 1 on", "rank")
    if not set(row["by"]) <= set(_COMMANDS):
        raise TableError(f"must be some of {', '.join(_COMMANDS)}", "by")
    if "group" in table:
        row["group"] = _text(table, "group")
    if "explains" in table:
        row["explains"] = _texts(table, "explains")
    for key in ("hidden_by_error", "whole_file"):
        if key in table:
            row[key] = _true(table, key)
    row["prints"] = []
    for number, item in enumerate(_list(table, "prints")):
        try:
            row["prints"].append(_print(item, identifier))
        except TableError as error:
            raise error.under(f"prints[{number}]") from None
    return row


def _print(table: dict[str, Any], identifier: str) -> list[Any]:
    """``[order, line, beside, weight, rules]`` of a line that a failure prints."""
    _known(table, _PRINT_KEYS)
    order, weight = table.get("order"), table.get("weight", "cause")
    if type(order) is not int:
        raise TableError("must be a number", "order")
    if weight not in _WEIGHTS:
        raise TableError(f"must be one of {', '.join(_WEIGHTS)}", "weight")
    beside = table.get("beside", "")
    beside = _WORDS.get(beside, beside)
    for key, pattern in (("line", _text(table, "line")), ("beside", beside)):
        try:
            re.compile(pattern)
        except re.error as error:
            raise TableError(f"is not a pattern: {error}", key) from None
    also = _texts(table, "also") if "also" in table else []
    return [order, table["line"], beside, weight, [identifier, *also]]


def compile_registry(rules: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The registry and the stories of all rules. Names of groups are replaced by their rules.

    Raises:
        TableError: two rules share a rank, two lines an order, or a rule that is named does not exist.
    """
    rows = {identifier: dict(rule["registry"]) for identifier, rule in rules.items()}
    groups: dict[str, list[str]] = {}
    for identifier, row in rows.items():
        groups.setdefault(row.get("group", ""), []).append(identifier)
    prints = sorted(line for row in rows.values() for line in row.pop("prints"))
    for row in rows.values():
        if "explains" in row:
            row["explains"] = sorted({rule for name in row["explains"] for rule in groups.get(name, [name])})
    _unlike([row["rank"] for row in rows.values()], "rank")
    _unlike([line[0] for line in prints], "order")
    named = [rule for row in rows.values() for rule in row.get("explains", ())]
    for rule in [*named, *(rule for line in prints for rule in line[4])]:
        if rule not in rules:
            raise TableError(f"no rule or group is called {rule!r}")
    registry = {"rules": rows, "prints": [line[1:] for line in prints]}
    return registry, {identifier: rule["story"] for identifier, rule in rules.items()}


def _unlike(numbers: list[int], key: str) -> None:
    twice = {number for number in numbers if numbers.count(number) > 1}
    if twice:
        raise TableError(f"{min(twice)} is there twice", key)


def _list(table: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TableError("must be an array of tables", key)
    return value


def _rule(table: dict[str, Any]) -> tuple[str, dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    _known(table, _RULE_KEYS)
    identifier = _text(table, "id")
    if not re.fullmatch(r"TL\d{3}", identifier):
        raise TableError(f"{identifier!r} is not of the form TL101", "id")
    rule: dict[str, Any] = {
        "title": _text(table, "title"),
        "because": _because(table),
        "kind": _kind(table),
        "sources": _texts(table, "sources"),
        "checked": _date(table, "checked"),
    }
    rule["story"], rule["registry"] = _story(table), _registry(table, identifier)
    if "effect" in table:
        rule["effect"] = _text(table, "effect")
        if rule["effect"] not in ("import", "use"):
            raise TableError("must be import or use", "effect")
    if "refuse" in table:
        rule["refuse"] = _true(table, "refuse")
    statements = []
    for number, item in enumerate(_list(table, "statement")):
        try:
            statements.append(_statement(item, identifier))
        except TableError as error:
            raise error.under(f"statement[{number}]") from None
    return identifier, rule, statements


def read_toml(path: Path) -> dict[str, Any]:
    """Parse one table file; an error names it.

    Raises:
        TableError: it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        failure = TableError(f"not valid TOML: {error}")
        failure.file = path.name
        raise failure from error


def read_sources(path: Path) -> dict[str, dict[str, str]]:
    """``sources.toml``: identifier → address, kind, date and note."""
    sources: dict[str, dict[str, str]] = {}
    for identifier, table in read_toml(path).items():
        try:
            if not isinstance(table, dict):
                raise TableError("must be a table")
            _known(table, _SOURCE_KEYS)
            sources[identifier] = {
                "address": _text(table, "address"),
                "kind": _kind(table),
                "date": _date(table, "date"),
            }
            if "note" in table:
                sources[identifier]["note"] = _text(table, "note")
        except TableError as error:
            error.under(identifier).file = path.name
            raise
    return sources


def read_rules(
    folder: Path, sources: dict[str, dict[str, str]]
) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """All rule files: the rules by identifier, and their statements by the name they speak of.

    Raises:
        TableError: a file is not of the form, an identifier appears twice, a source is not known.
    """
    rules: dict[str, dict[str, Any]] = {}
    statements: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.toml")):
        table = read_toml(path)
        try:
            _known(table, {"rule", "unpartnered"})
            for number, item in enumerate(_list(table, "rule")):
                try:
                    identifier, rule, said = _rule(item)
                    if identifier in rules:
                        raise TableError(f"{identifier} is there twice", "id")
                    for cited in [rule, *(row for _, row in said)]:
                        for source in cited.get("sources", ()):
                            if source not in sources:
                                raise TableError(f"{source!r} is not in sources.toml", "sources")
                except TableError as error:
                    raise error.under(f"rule[{number}]") from None
                rules[identifier] = rule
                for name, row in said:
                    statements.setdefault(name, []).append(row)
            for number, item in enumerate(_list(table, "unpartnered")):
                try:
                    _known(item, _UNPARTNERED_KEYS)
                    _text(item, "torch"), _text(item, "package"), _because(item)
                except TableError as error:
                    raise error.under(f"unpartnered[{number}]") from None
        except TableError as error:
            error.file = path.name
            raise
    for rows in statements.values():
        rows.sort(key=lambda row: row["rule"])  # stable: within a rule, the order of the table
    return rules, statements


def _library(table: dict[str, Any]) -> dict[str, Any]:
    _known(table, _LIBRARY_KEYS)
    library: dict[str, Any] = {}
    if "version" in table:
        library["version"] = _text(table, "version")
        if not re.fullmatch(r"\d+(\.\d+)*", library["version"]):
            raise TableError(f"{library['version']!r} is not the version of a release", "version")
    if "packages" in table:
        library["packages"] = _texts(table, "packages")
    if "note" in table:
        library["note"] = _text(table, "note")
    if not library:
        raise TableError("says nothing")
    return library


def _system(table: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    _known(table, _SYSTEM_KEYS)
    identifier = _text(table, "id")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", identifier):
        raise TableError(f"{identifier!r} is not of the form debian-12", "id")
    system: dict[str, Any] = {"title": _text(table, "title"), "platforms": _texts(table, "platforms")}
    for platform in system["platforms"]:
        if platform not in ("linux", "macos", "windows"):
            raise TableError("must be linux, macos or windows", "platforms")
    if "libc" in table:
        system["libc"] = _text(table, "libc")
        if not re.fullmatch(r"(glibc|musl) \d+(\.\d+)+", system["libc"]):
            raise TableError("must be like 'glibc 2.36'", "libc")
    for key in ("python", "install", "note"):
        if key in table:
            system[key] = _text(table, key)
    if "install" in system and "{packages}" not in system["install"]:
        raise TableError("must contain {packages}", "install")
    system["kind"] = _kind(table)
    system["sources"] = _texts(table, "sources")
    system["checked"] = _date(table, "checked")
    libraries = table.get("library", {})
    if not isinstance(libraries, dict):
        raise TableError("must be a table", "library")
    system["library"] = {}
    for name, item in libraries.items():
        try:
            system["library"][name] = _library(item)
        except TableError as error:
            raise error.under(f"library.{name}") from None
    return identifier, system


def read_systems(folder: Path, sources: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """All system files: the systems by identifier.

    Raises:
        TableError: a file is not of the form, an identifier appears twice, a source is not known.
    """
    systems: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.toml")):
        table = read_toml(path)
        try:
            _known(table, {"system"})
            for number, item in enumerate(_list(table, "system")):
                try:
                    identifier, system = _system(item)
                    if identifier in systems:
                        raise TableError(f"{identifier} is there twice", "id")
                    for source in system["sources"]:
                        if source not in sources:
                            raise TableError(f"{source!r} is not in sources.toml", "sources")
                except TableError as error:
                    raise error.under(f"system[{number}]") from None
                systems[identifier] = system
        except TableError as error:
            error.file = path.name
            raise
    return systems


def _pythons(text: str) -> list[str]:
    """``2.7 3.5-3.7`` → 2.7, 3.5, 3.6, 3.7."""
    found = []
    for word in text.split():
        match = re.fullmatch(r"(\d)\.(\d+)(?:-\1\.(\d+))?(t?)", word)
        if not match:
            raise TableError(f"{word!r} is not like 3.9, 3.9-3.13 or 3.13t")
        last = int(match[3] or match[2])
        found += [f"{match[1]}.{minor}{match[4]}" for minor in range(int(match[2]), last + 1)]
    return found


# A release with its platforms, Pythons and builds.
_Release = tuple[str, list[list[str]]]


def _build_row(row: Any) -> list[_Release]:
    """One row of builds: each release with its platforms, Pythons and builds."""
    if not isinstance(row, list) or len(row) != 4 or not all(isinstance(cell, str) for cell in row):
        raise TableError("must be a list of four texts: releases, platforms, Pythons, builds")
    releases, platforms, pythons, builds = (cell.split() for cell in row)
    if not releases or not builds:
        raise TableError("must name a release and a build")
    for platform in platforms:
        if platform not in _PLATFORMS:
            raise TableError(f"{platform!r} is not one of {', '.join(_PLATFORMS)}")
    for build in builds:
        if build != "plain" and not kind_of(build.removeprefix("plain=")):
            raise TableError(f"{build!r} is not like cpu, cu118, rocm6.2, xpu, plain or plain=cu102")
    return [(_release(release), [platforms, _pythons(" ".join(pythons)), builds]) for release in releases]


def _never_row(item: Any) -> list[_Release]:
    """One row of builds that never were: each release with all of them."""
    if not isinstance(item, list) or len(item) != 2 or not all(isinstance(cell, str) for cell in item):
        raise TableError("must be a list of two texts: releases, builds")
    releases, builds = (cell.split() for cell in item)
    for build in builds:
        if not kind_of(build):
            raise TableError(f"{build!r} is not like cpu, cu118, rocm6.2 or xpu")
    return [(_release(release), [[], [], [f"!{build}" for build in builds]]) for release in releases]


def _release(text: str) -> str:
    try:
        if Version(text).local is None:
            return text
    except InvalidVersion:
        pass
    raise TableError(f"{text!r} is not a version without a label")


def _builds(table: dict[str, Any]) -> tuple[str, dict[str, Any], list[_Release]]:
    """One table of builds: its package, its grounds, its rows one for each release."""
    _known(table, _BUILDS_KEYS)
    group: dict[str, Any] = {
        "kind": _kind(table),
        "sources": _texts(table, "sources"),
        "checked": _date(table, "checked"),
    }
    if "complete" in table:
        group["complete"] = table["complete"] if table["complete"] is True else _texts(table, "complete")
        if group["complete"] is not True and not set(group["complete"]) <= {"cpu", "cuda", "rocm", "xpu"}:
            raise TableError("must be true, or some of cpu, cuda, rocm, xpu", "complete")
    if "index" in table:
        group["index"] = _text(table, "index")
    rows = []
    for number, row in enumerate(table.get("rows", ())):
        try:
            rows += _build_row(row)
        except TableError as error:
            raise error.under(f"rows[{number}]") from None
    for number, item in enumerate(table.get("never", ())):
        try:
            rows += _never_row(item)
        except TableError as error:
            raise error.under(f"never[{number}]") from None
    return canonicalize_name(_text(table, "package")), group, rows


def read_builds(
    path: Path, sources: dict[str, dict[str, str]], statements: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """``builds.toml``: groups of grounds, and by package and release the rows that rest on them.

    ``partners`` is taken from the rules: the one torch that a release was compiled against.

    Raises:
        TableError: it is not of the form, or a source is not known.
    """
    groups: list[dict[str, Any]] = []
    packages: dict[str, dict[str, list[list[Any]]]] = {}
    table = read_toml(path)
    try:
        _known(table, {"builds"})
        for number, item in enumerate(_list(table, "builds")):
            try:
                package, group, rows = _builds(item)
                for source in group["sources"]:
                    if source not in sources:
                        raise TableError(f"{source!r} is not in sources.toml", "sources")
            except TableError as error:
                raise error.under(f"builds[{number}]") from None
            for release, cells in rows:
                packages.setdefault(package, {}).setdefault(release, []).append([len(groups), *cells])
            groups.append(group)
    except TableError as error:
        error.file = path.name
        raise
    cited = {source for group in groups for source in group["sources"]}
    return {
        "groups": groups,
        "packages": packages,
        "partners": {package: partners(statements.get(package, [])) for package in packages},
        "sources": {source: sources[source] for source in cited},
    }


def partners(statements: list[dict[str, Any]]) -> dict[str, str]:
    """Release → the one torch that it needs, of the statements that pin both."""
    found = {}
    for row in statements:
        for need in row.get("needs", ()):
            pins = [re.fullmatch(r"==([\d.]+)", "".join(item[1:2])) for item in (row["when"], need)]
            if need[0] == "torch" and len(row["when"]) < 3 and len(need) < 3 and pins[0] and pins[1]:
                found[pins[0][1]] = pins[1][1]
    return found


def _opened(item: Any) -> list[str]:
    """One library that an import opens: folder, pattern, role."""
    if not isinstance(item, list) or len(item) != 3 or not all(isinstance(cell, str) for cell in item):
        raise TableError("must be a list of three texts: folder, pattern, role")
    try:
        re.compile(item[1])
    except re.error as error:
        raise TableError(f"{item[1]!r} is not a pattern: {error}") from error
    if item[2] not in ("import", "optional", "choice"):
        raise TableError("the role must be import, optional or choice")
    return item


def _choice(table: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
    value = _text(table, key)
    if value not in known:
        raise TableError(f"must be one of {', '.join(known)}", key)
    return value


def _specifier(table: dict[str, Any], key: str) -> str:
    value = _text(table, key)
    try:
        return str(requirement_row(f"name {value}")[1])
    except TableError as error:
        raise error.under(key) from None


def _member(table: dict[str, Any]) -> dict[str, Any]:
    """One member of the stack."""
    _known(table, _MEMBER_KEYS)
    name = _text(table, "name")
    if canonicalize_name(name) != name:
        raise TableError(f"{name!r} is not a normalised name", "name")
    member: dict[str, Any] = {
        "name": name,
        "role": _choice(table, "role", ("core", "companion", "support")),
        "effect": _choice(table, "effect", ("import", "use")),
    }
    member |= {key: _texts(table, key) for key in ("conda", "cuda_check") if key in table}
    if "vital" in table:
        member["vital"] = _true(table, "vital")
    if "labels" in table:
        if table["labels"] is not False:
            raise TableError("must be false, or left out", "labels")
        member["labels"] = False
    if "rule" in table:
        member["rule"] = _text(table, "rule")
    if "earlier" in table:
        member["earlier"] = _specifier(table, "earlier")
    if "bare" in table:
        _known(table["bare"], {"all", "linux", "macos", "windows"})
        member["bare"] = {system: _specifier(table["bare"], system) for system in table["bare"]}
    for number, item in enumerate(table.get("opens", ())):
        try:
            member.setdefault("opens", []).append(_opened(item))
        except TableError as error:
            raise error.under(f"opens[{number}]") from None
    return member


def read_members(path: Path, rules: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """``stack.toml``: the members of the stack, in the order of writing.

    Raises:
        TableError: it is not of the form, a name appears twice, or a rule is not known.
    """
    members: list[dict[str, Any]] = []
    table = read_toml(path)
    try:
        _known(table, {"member"})
        for number, item in enumerate(_list(table, "member")):
            try:
                member = _member(item)
                if any(member["name"] == other["name"] for other in members):
                    raise TableError(f"{member['name']} is there twice", "name")
                if member.get("rule", "") and member["rule"] not in rules:
                    raise TableError(f"{member['rule']} is not a rule", "rule")
            except TableError as error:
                raise error.under(f"member[{number}]") from None
            members.append(member)
    except TableError as error:
        error.file = path.name
        raise
    return members


# The writers.


def _dates(rows: list[dict[str, Any]]) -> list[str]:
    return [row["checked"] for row in rows if "checked" in row]


def compile_all(data: Path) -> dict[str, str]:
    """File name → contents, of everything in ``compiled/``.

    Raises:
        TableError: a table is not of the form.
    """
    sources = read_sources(data / "sources.toml")
    rules, statements = read_rules(data / "rules", sources)
    systems = read_systems(data / "systems", sources)
    builds = read_builds(data / "builds.toml", sources, statements)
    checked = _dates([*rules.values(), *(row for rows in statements.values() for row in rows)])
    registry, stories = compile_registry(rules)
    facts = {
        identifier: {key: value for key, value in rule.items() if key not in ("story", "registry")}
        for identifier, rule in rules.items()
    }
    return {
        "builds.json": dump({"date": max(_dates(builds["groups"]), default=max(checked)), **builds}),
        "registry.json": dump(registry),
        "rules.json": dump({"date": max(checked), "rules": facts, "sources": sources, "statements": statements}),
        "stack.json": dump({"members": read_members(data / "stack.toml", rules)}),
        "stories.json": dump(stories),
        "systems.json": dump(
            {"date": max(_dates(list(systems.values())), default=max(checked)), "systems": systems}
        ),
    }


def dump(value: object) -> str:
    """Compact JSON with sorted keys and a final newline: the same bytes for the same tables."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def write(path: Path, text: str) -> None:
    """Replace a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if compiled/ is stale")
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help="default: compat_data/")
    options = parser.parse_args(arguments)
    try:
        compiled = compile_all(options.data)
    except TableError as error:
        print(f"compile_rules: {error}", file=sys.stderr)
        return 2
    stale = []
    for name, text in compiled.items():
        path = options.data / "compiled" / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not options.check:
                write(path, text)
    if stale:
        print(f"compile_rules: {', '.join(stale)} {'stale' if options.check else 'written'}", file=sys.stderr)
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
