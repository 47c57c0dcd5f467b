"""The names of torch that its releases do not all have, read from the Python files and the stubs of its wheels.

A table states for a release that a name is there, that it is not, or neither. A name is there if its module binds
it, or if a stub or the texts of documentation list it. It is not there if its module shows all its names and lacks
it; and where C code makes names, if the release has stubs and no file of it mentions the name.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.version import Version

from refreshing.name_tables import spans
from torchlock.inspect.module_names import ModuleNames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What lists the names that torch takes from its C code: the stubs, and the texts of its documentation.
_STUBS = ("__init__.pyi", "_C/__init__.pyi", "_C/_VariableFunctions.pyi", "functional.pyi")
_DOCS = ("_torch_docs.py",)
_IN_STUB = re.compile(r"^(?:    )?(?:def|class) (\w+)|^(\w+): ", re.MULTILINE)
_IN_TEXTS = re.compile(r"add_docstr(?:_all)?\(\s*torch\.(\w+)\s*,")
_MENTIONED = re.compile(r"\btorch\.(\w+)|\b_C\.(\w+)|['\"](\w+)['\"]")
# Parts of torch of which other code takes nothing: its tests, and its compiler below the first floor.
_OWN = re.compile(
    r"torch\.(?:testing\._internal|_inductor\.|_dynamo\.|_refs|_decomp|_prims|ao\.|contrib|lib|bin|include|share"
    r"|_export\.|_functorch|_vendor|distributed\.(?:tensor|checkpoint|pipelining|elastic|fsdp|algorithms)\.|fx\.experimental|fx\.passes|distributed\._|onnx\._|onnx\.symbolic|_C\b|_numpy"
    r"|quantization\.fx|nn\.quantized|utils\.benchmark|utils\.tensorboard\._|utils\.hipify|headeronly|_higher_order_ops|_strobelight|_logging\.)"
)

# Private modules whose names other code takes.
_USED = ("torch._six", "torch.utils._pytree")

# Whether each release has a name; None: its files do not show it.
_Row = list[bool | None]


class Names(NamedTuple):
    """The names of one release, its modules, those that hide names, the words that its files say of torch, and the
    modules that the code of their parent imports."""

    names: frozenset[str]
    modules: frozenset[str]
    hidden: frozenset[str]
    mentioned: frozenset[str]
    loaded: frozenset[str]


def names_of(wheel: zipfile.ZipFile) -> Names:
    """What a wheel of torch shows."""
    with tempfile.TemporaryDirectory() as folder:
        members = [
            each for each in wheel.namelist() if re.fullmatch(r"torch/.*\.pyi?", each) and not _is_own(each)
        ]
        wheel.extractall(folder, members)
        return _read(Path(folder, "torch"))


def _is_own(path: str) -> bool:
    return not path.endswith(".pyi") and bool(_OWN.match(path.replace("/", ".")))


def _read(place: Path) -> Names:
    names, modules, hidden, loaded = {"torch"}, set(), set(), set()
    for module, bound, hides in ModuleNames(str(place)).every_name():
        folder = place.joinpath(*module.split(".")[1:])
        if not (folder / "__init__.py").is_file() and not folder.with_suffix(".py").is_file():
            continue  # A folder without code, or of a build.
        names |= {module, *(f"{module}.{name}" for name in bound)}
        modules.add(module)
        if hides:
            hidden.add(module)
        loaded |= {f"{module}.{each}" for each in _imported(folder / "__init__.py", module)}
    texts = [each.read_text(encoding="utf-8", errors="replace") for each in place.rglob("*.py*")]
    mentioned = {word for text in texts for match in _MENTIONED.findall(text) for word in match}
    names |= set(_listed(place))
    return Names(*map(frozenset, (names, modules, hidden, mentioned, loaded)))


def _listed(place: Path) -> Iterator[str]:
    """The names of torch's C code."""
    for path, pattern in (*((each, _IN_STUB) for each in _STUBS), *((each, _IN_TEXTS) for each in _DOCS)):
        file = place / path
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        for match in pattern.finditer(text):
            yield f"torch.{next(filter(None, match.groups()))}"


def _imported(path: Path, module: str) -> set[str]:
    """The submodules that the first lines of a package import whenever it is imported."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    inside = rf"(?:{re.escape(module)})?\."
    found = set(re.findall(rf"(?m)^(?:import {re.escape(module)}\.|from {inside})(\w+)\b", text))
    for names in re.findall(rf"(?m)^from (?:\.|{re.escape(module)}) import (\([^()]*\)|[^\n(]*)", text):
        found |= {each.split(" as ")[0].strip() for each in re.sub(r"#.*|[()]", "", names).split(",")}
    return found


def table_of(read: Mapping[Version, Names]) -> dict[str, Any]:
    """The table: the releases, and the names by module.

    ``changed``: the releases that have names and those that lack them, each as spans of their numbers, and these
    names. ``always``: the names that all releases have. ``unloaded``: modules that the import of their parent need
    not import. A name is left out if nothing is known of a release between one with it and one without.
    """
    releases = sorted(read)
    every = [read[release] for release in releases]
    names = frozenset().union(*(each.names for each in every))
    known = {name: [_has(each, name) for each in every] for name in names if _counts(name, every)}
    return _table([str(each) for each in releases], known, _unloaded(every))


def with_release(table: Mapping[str, Any], version: Version, new: Names, before: Names) -> dict[str, Any]:
    """A table with one more release, which replaces an earlier one of its series.

    ``before`` is what the last other release shows: a new name may be lacking there. Earlier ones are not asked.
    """
    releases = list(table["releases"])
    known = names_stated(table)
    if Version(releases[-1]).release[:2] == version.release[:2]:
        releases.pop()
        known = {name: row[:-1] for name, row in known.items()}
    for name in new.names - known.keys():
        if _counts(name, [new, before]):
            known[name] = [*[None] * (len(releases) - 1), _has(before, name)]
    known = {name: [*row, _has(new, name)] for name, row in known.items()}
    unloaded = {*table["unloaded"], *_unloaded([new])}
    return _table([*releases, str(version)], known, sorted(unloaded))


def text_of(table: Mapping[str, Any]) -> bytes:
    """The file of a table."""
    return (json.dumps(table, separators=(",", ":"), sort_keys=True).replace(']],"', ']],\n"') + "\n").encode()


def _table(releases: list[str], known: Mapping[str, _Row], unloaded: list[str]) -> dict[str, Any]:
    changed: dict[str, dict[str, list[str]]] = {}
    always: dict[str, list[str]] = {}
    for name, row in sorted(known.items()):
        parent, _, last = name.rpartition(".")
        if all(row):
            always.setdefault(parent, []).append(last)
        elif False in row and True in row and _is_clear(row):
            key = json.dumps([spans([has is True for has in row]), spans([has is False for has in row])])
            changed.setdefault(parent, {}).setdefault(key, []).append(last)
    return {
        "releases": releases,
        "always": {module: " ".join(names) for module, names in always.items()},
        "changed": {
            module: [[*json.loads(key), " ".join(names)] for key, names in rows.items()]
            for module, rows in changed.items()
        },
        "unloaded": unloaded,
    }


def names_stated(table: Mapping[str, Any]) -> dict[str, _Row]:
    """What a table states of its names: the inverse of ``_table``."""
    count = range(len(table["releases"]))
    known: dict[str, _Row] = {}
    for module, names in table["always"].items():
        known |= {f"{module}.{name}": [True] * len(count) for name in names.split()}
    for module, rows in table["changed"].items():
        for there, lacking, names in rows:
            row = [True if _within(there, at) else False if _within(lacking, at) else None for at in count]
            known |= {f"{module}.{name}": row for name in names.split()}
    return known


def _within(runs: list[list[int]], at: int) -> bool:
    return any(first <= at <= last for first, last in runs)


def _is_clear(row: _Row) -> bool:
    """Whether each change is between two releases of which one has a name, and the next or last one lacks it."""
    known = [(at, has) for at, has in enumerate(row) if has is not None]
    return all(first[1] == then[1] or then[0] - first[0] == 1 for first, then in pairwise(known))


def _unloaded(every: list[Names]) -> list[str]:
    modules = {each for release in every for each in release.modules - release.loaded - {"torch"}}
    return sorted(each for each in modules if _counts(each, every))


def _counts(name: str, every: list[Names]) -> bool:
    """Whether other code may take a name: it is public, and its module is, or it is a module."""
    parent, _, last = name.rpartition(".")
    if not parent or last.startswith("__") or _OWN.match(name):
        return False
    is_public = not last.startswith("_") and (parent in _USED or "._" not in parent)
    return is_public or any(name in each.modules for each in every)


def _has(release: Names, name: str) -> bool | None:
    """Whether a release has a name; None if its files do not show it."""
    return True if name in release.names else False if _is_lacking(release, name) else None


def _is_lacking(release: Names, name: str) -> bool:
    """Whether the files of a release show that it lacks a name."""
    parent, _, last = name.rpartition(".")
    if parent not in release.modules:
        return parent not in release.names and _is_lacking(release, parent)
    if parent not in release.hidden:
        return True
    return last not in release.mentioned and (parent != "torch" or "torch.float32" in release.names)
